// SPDX-License-Identifier: MIT
/* Expected contents of memory, page by page. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz_bytes.h"

static void *bytes_alloc(size_t size)
{
	void *p = calloc(1, size);

	if (!p) {
		perror("fuzz_abi: calloc");
		exit(2);
	}
	return p;
}

void bytes_init(struct fuzz_bytes *bytes, __u64 length)
{
	bytes->length = length;
	bytes->pages = bytes_alloc(length / BYTES_PAGE * sizeof(*bytes->pages));
}

void bytes_free(struct fuzz_bytes *bytes)
{
	__u64 i;

	if (!bytes->pages)
		return;
	for (i = 0; i < bytes->length / BYTES_PAGE; i++)
		free(bytes->pages[i].data);
	free(bytes->pages);
	bytes->pages = NULL;
}

void bytes_copy(struct fuzz_bytes *to, const struct fuzz_bytes *from)
{
	__u64 i;

	bytes_init(to, from->length);
	for (i = 0; i < from->length / BYTES_PAGE; i++) {
		to->pages[i].fill = from->pages[i].fill;
		if (!from->pages[i].data)
			continue;
		to->pages[i].data = bytes_alloc(BYTES_PAGE);
		memcpy(to->pages[i].data, from->pages[i].data, BYTES_PAGE);
	}
}

static __u64 bytes_step(__u64 offset, __u64 length)
{
	__u64 n = BYTES_PAGE - offset % BYTES_PAGE;

	return n < length ? n : length;
}

void bytes_read(const struct fuzz_bytes *bytes, __u64 offset, void *data, __u64 length)
{
	unsigned char *to = data;

	while (length) {
		const struct fuzz_page *page = &bytes->pages[offset / BYTES_PAGE];
		__u64 n = bytes_step(offset, length);

		if (page->data)
			memcpy(to, page->data + offset % BYTES_PAGE, n);
		else
			memset(to, page->fill, n);
		to += n;
		offset += n;
		length -= n;
	}
}

static unsigned char *bytes_data(struct fuzz_page *page)
{
	if (!page->data) {
		page->data = bytes_alloc(BYTES_PAGE);
		memset(page->data, page->fill, BYTES_PAGE);
	}
	return page->data;
}

void bytes_write(struct fuzz_bytes *bytes, __u64 offset, const void *data,
		 __u64 length)
{
	const unsigned char *from = data;

	while (length) {
		__u64 n = bytes_step(offset, length);

		/* The whole page the same: nothing to keep. */
		if (n == BYTES_PAGE && !memcmp(from, from + 1, n - 1))
			bytes_fill(bytes, offset, *from, n);
		else
			memcpy(bytes_data(&bytes->pages[offset / BYTES_PAGE]) +
			       offset % BYTES_PAGE, from, n);
		from += n;
		offset += n;
		length -= n;
	}
}

void bytes_fill(struct fuzz_bytes *bytes, __u64 offset, unsigned char value,
		__u64 length)
{
	while (length) {
		struct fuzz_page *page = &bytes->pages[offset / BYTES_PAGE];
		__u64 n = bytes_step(offset, length);

		if (n == BYTES_PAGE) {
			free(page->data);
			page->data = NULL;
			page->fill = value;
		} else {
			memset(bytes_data(page) + offset % BYTES_PAGE, value, n);
		}
		offset += n;
		length -= n;
	}
}
