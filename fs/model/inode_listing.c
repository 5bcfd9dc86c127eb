/* SPDX-License-Identifier: MIT */
/* The names in directories that are known to be right, kept for as long as there
 * is room.  No I/O. */
#include "fs/model/inode_impl.h"
#include "fs/model/listing.h"

void inode_drop_listing(struct inodes *t, struct inode *inode)
{
	if (!inode->listing)
		return;
	TAILQ_REMOVE(&t->listings, inode, listing_link);
	t->listing_bytes -= inode->listing->bytes;
	listing_put(inode->listing);
	inode->listing = NULL;
}

void inode_set_listing(struct inodes *t, struct inode *inode, struct listing *listing)
{
	inode_drop_listing(t, inode);
	if (listing && listing->bytes <= INODE_LISTING_BYTES_MAX) {
		while (t->listing_bytes + listing->bytes > INODE_LISTING_BYTES_MAX)
			inode_drop_listing(t, TAILQ_FIRST(&t->listings));
		inode->listing = listing_get(listing);
		t->listing_bytes += listing->bytes;
		TAILQ_INSERT_TAIL(&t->listings, inode, listing_link);
	}
}

struct listing *inode_get_listing(struct inodes *t, struct inode *inode)
{
	struct listing *listing = NULL;

	/* While a file of this mount is not written yet, the store's names are not complete. */
	if (inode->listing && t->unwritten == 0) {
		listing = listing_get(inode->listing);
		TAILQ_REMOVE(&t->listings, inode, listing_link);
		TAILQ_INSERT_TAIL(&t->listings, inode, listing_link);
	}
	return listing;
}

int inode_add_unwritten(const struct inode *parent, struct listing *listing)
{
	const struct inode *inode;
	int err = 0;

	if (TAILQ_EMPTY(&parent->unwritten_files))
		return 0;
	/* One may be in the store already, written a moment ago. */
	err = listing_sort(listing);
	TAILQ_FOREACH(inode, &parent->unwritten_files, unwritten_link)
		if (!err && inode->hashed && !listing_has(listing, inode->name))
			err = listing_add(listing, inode->name);
	return err;
}

