/* SPDX-License-Identifier: MIT */
/*
 * The size of a file that the kernel has, as far as we can know it, with cache=full.  No I/O.
 *
 * It drops the size in an answer to GETATTR or LOOKUP if an invalidation has overtaken the answer, and the
 * reader goes on with the size from before.  So from the first answer with another size on the kernel may
 * have the one or the other, until something tells which.
 *
 * A size that is too small is corrected by giving the kernel the content (inode_grow()).  One that is too large
 * the kernel corrects by the answer to READ, as that is shorter, unless an invalidation overtakes that answer:
 * so from the answer with the size until then the kernel is told nothing (inode_size_hold()).
 */
#include "fs/model/handle.h"
#include "fs/model/inode_impl.h"

void inode_size_sent(struct inode *inode, size_t size)
{
	if (size < inode->least_size)
		inode->least_size = size;
	if (size > inode->most_size)
		inode->most_size = size;
}

void inode_size_stored(struct inode *inode, size_t size)
{
	if (inode->least_size < size)
		inode->least_size = size;
	if (inode->most_size < size)
		inode->most_size = size;
}

bool inode_size_may_be_less(const struct inode *inode, size_t size)
{
	return inode->least_size < size;
}

bool inode_size_may_be_more(const struct inode *inode, size_t size)
{
	return inode->most_size > size;
}

void inode_size_asked(struct handle *reader, size_t size)
{
	reader->size = size;
	reader->sized = reader->answered;
	reader->asked_ms = inode_now_ms();
	reader->written = reader->inode->outdated;
}

static bool holds(const struct handle *reader)
{
	return reader->hold != 0 && reader->hold == reader->inode->hold_round;
}

void inode_size_hold(struct handle *reader)
{
	struct inode *inode = reader->inode;

	if (holds(reader))
		return;
	if (inode->holds++ == 0)
		inode->hold_round++;
	reader->hold = inode->hold_round;
}

void inode_size_let_go(struct inodes *t, struct handle *reader)
{
	struct inode *inode = reader->inode;

	if (!holds(reader))
		return;
	reader->hold = 0;
	if (--inode->holds == 0)
		inode_tell_held(t, inode);
}

bool inode_size_settled(const struct handle *reader, size_t size)
{
	struct inode *inode = reader->inode;
	bool taken = reader->size == size && reader->sized == inode->tellings && !inode_is_untold(inode);

	if (taken || (holds(reader) && !inode_size_may_be_less(inode, size)))
		inode->least_size = inode->most_size = size;
	return inode->least_size == size && inode->most_size == size;
}
