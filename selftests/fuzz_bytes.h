/* SPDX-License-Identifier: MIT */
/*
 * What a memory is expected to contain, to the byte: pages that are the same byte
 * throughout, as nearly all are, take no memory.
 */
#ifndef FUZZ_BYTES_H
#define FUZZ_BYTES_H

#include <linux/types.h>

#define BYTES_PAGE	4096

struct fuzz_page {
	unsigned char *data;	/* or NULL: all are @fill */
	unsigned char fill;
};

struct fuzz_bytes {
	__u64 length;
	struct fuzz_page *pages;
};

void bytes_init(struct fuzz_bytes *bytes, __u64 length);
void bytes_free(struct fuzz_bytes *bytes);
void bytes_copy(struct fuzz_bytes *to, const struct fuzz_bytes *from);
void bytes_read(const struct fuzz_bytes *bytes, __u64 offset, void *data, __u64 length);
void bytes_write(struct fuzz_bytes *bytes, __u64 offset, const void *data,
		 __u64 length);
void bytes_fill(struct fuzz_bytes *bytes, __u64 offset, unsigned char value,
		__u64 length);

#endif /* FUZZ_BYTES_H */
