/* backup_file - the format of a backup: one file,
 *
 *   store     a compacted LMDB file: the state at one mark, as muster-inspect reads it
 *   manifest  JSON, for people too: what the store is a copy of, and when
 *   footer    {"MUSTERBK", version, bytes of the manifest, bytes of the store, 0, SHA-256 of all
 *             that stands before it}, numbers big-endian
 *
 * The store stands first, so that the file itself can be opened as one; and what tells that it is
 * complete is written last. Pure codec. */
#ifndef TOOLS_CTL_BACKUP_FILE_H
#define TOOLS_CTL_BACKUP_FILE_H

#include "node/base/buf.h"
#include "node/base/err.h"

#include <jansson.h>

#define BACKUP_VERSION            1
#define BACKUP_DIGEST_BYTES       32
#define BACKUP_FOOTER_BYTES       (32 + BACKUP_DIGEST_BYTES)
#define BACKUP_MANIFEST_BYTES_MAX (1024 * 1024)

struct backup_footer {
    uint32_t manifest_bytes;
    uint64_t store_bytes;
    uint8_t digest[BACKUP_DIGEST_BYTES];
};

/** The footer without its digest. */
void backup_footer_begin(const struct backup_footer *footer, struct buf *out);
/** bytes: the last BACKUP_FOOTER_BYTES of a file of file_bytes. ERR_MALFORMED: it is no backup, or
 * its end is missing; ERR_VERSION: of a newer program; ERR_CORRUPT: its lengths do not add up. */
NODISCARD int backup_footer_decode(struct slice bytes, uint64_t file_bytes,
                                   struct backup_footer *out);

/* What a manifest says that programs need. */
struct backup_manifest {
    json_t *root; /* all of it; owned */
    const char *cluster;
    const char *domain; /* the first one, "" for none */
    uint32_t schema;
    uint64_t index;
    uint64_t term;
    uint64_t hash;
};

/** Takes root: check it. ERR_MALFORMED. */
NODISCARD int backup_manifest_read_take(json_t *root, struct backup_manifest *out);
NODISCARD int backup_manifest_decode(struct slice text, struct backup_manifest *out);
void backup_manifest_encode(const json_t *root, struct buf *out);
void backup_manifest_deinit(struct backup_manifest *manifest);

#endif
