/* vote - term and vote, a second time and with a checksum. raft_uv's files of them have none: a bit
 * that flips there makes a voter vote twice in a term, or drives all terms up (defect 34). Before
 * libraft writes a new term or vote it is put down here beside the one before; afterwards, without
 * a sync, alone. So what libraft loads must be one of two after a crash, and that one ever after.
 *
 * raft_uv counts how often it wrote. A program before this one, gone back to during an upgrade,
 * leaves the count higher than it is noted here, and a ballot that may follow ours. */
#include "raft/log/internal.h"

#include "node/base/crypto.h"
#include "node/base/log.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define VOTE_FILE     "vote"
#define VOTE_FORMAT   1
#define NUMBERS_BYTES (4 + 5 * 8)
#define SUM_BYTES     32
#define FILE_BYTES    (NUMBERS_BYTES + SUM_BYTES) /* less than a sector: written whole or not */

/* raft_uv's files: format, count of writes, term, vote, little-endian; it loads the higher count */
#define METADATA_FILES   2
#define METADATA_NUMBERS 4

static uint64_t count_of(const struct rlog *rlog, int file)
{
    struct buf path = BUF_EMPTY;
    uint64_t numbers[METADATA_NUMBERS];
    bool is_read;
    int fd;

    buf_printf(&path, "%s/metadata%d", rlog->config.dir, file);
    fd = open(buf_text(&path), O_RDONLY | O_CLOEXEC);
    is_read = fd >= 0 && pread(fd, numbers, sizeof(numbers), 0) == sizeof(numbers);
    if (fd >= 0) {
        (void)close(fd);
    }
    buf_deinit(&path);
    return is_read ? le64toh(numbers[1]) : 0;
}

/* How often raft_uv has written term and vote. */
static uint64_t count_on_disk(const struct rlog *rlog)
{
    uint64_t highest = 0;

    for (int file = 1; file <= METADATA_FILES; file++) {
        uint64_t count = count_of(rlog, file);

        highest = count > highest ? count : highest;
    }
    return highest;
}

static void encode(const struct ballot *before, const struct ballot *after, uint64_t count,
                   uint8_t out[FILE_BYTES])
{
    struct buf bytes = BUF_EMPTY;
    struct slice numbers;

    buf_append_u32(&bytes, VOTE_FORMAT);
    buf_append_u64(&bytes, before->term);
    buf_append_u64(&bytes, before->vote);
    buf_append_u64(&bytes, after->term);
    buf_append_u64(&bytes, after->vote);
    buf_append_u64(&bytes, count);
    numbers = buf_slice(&bytes);
    ASSERT(numbers.len == NUMBERS_BYTES);
    memcpy(out, numbers.data, NUMBERS_BYTES);
    hash_digest(HASH_SHA256, numbers, out + NUMBERS_BYTES);
    buf_deinit(&bytes);
}

static int write_file(const struct rlog *rlog, const struct ballot *before,
                      const struct ballot *after)
{
    uint8_t bytes[FILE_BYTES];

    encode(before, after, rlog->ballot_count, bytes);
    return pwrite(rlog->vote_fd, bytes, sizeof(bytes), 0) == FILE_BYTES ? 0 : ERR_IO;
}

/* count: how often raft_uv has written when next is on the disk. */
static int note(struct rlog *rlog, const struct ballot *next, uint64_t count)
{
    rlog->ballot_count = count;
    if (write_file(rlog, &rlog->ballot, next) != 0 || fdatasync(rlog->vote_fd) != 0) {
        return ERR_IO;
    }
    rlog->ballot_next = *next;
    return 0;
}

int rlog_note_ballot(struct rlog *rlog, const struct ballot *next)
{
    return note(rlog, next, count_on_disk(rlog) + 1);
}

void rlog_ballot_written(struct rlog *rlog)
{
    rlog->ballot = rlog->ballot_next;
    (void)write_file(rlog, &rlog->ballot, &rlog->ballot); /* if it is lost, more is allowed */
}

static bool is_equal(const struct ballot *one, uint64_t term, uint64_t vote)
{
    return one->term == term && one->vote == vote;
}

/* A crash while it was made leaves it without its content. */
static bool is_empty(const uint8_t *bytes, ssize_t len)
{
    for (ssize_t i = 0; i < len; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

/* May this be what a program that knows no file of this kind wrote behind the last that is noted?
 * A flipped bit leaves the count, or brings back a ballot that does not follow. */
static bool is_by_older_program(const struct rlog *rlog, const uint8_t *bytes,
                                const struct ballot *loaded)
{
    const struct ballot noted = {.term = get_u64(bytes + 20), .vote = get_u64(bytes + 28)};
    bool follows = loaded->term > noted.term || (loaded->term == noted.term && noted.vote == 0);

    return follows && count_on_disk(rlog) > get_u64(bytes + 36);
}

/* 0: the file says so; ERR_NOT_FOUND: there is none yet, or it is outdated; ERR_CORRUPT */
static int compare(const struct rlog *rlog, const struct ballot *loaded)
{
    uint8_t bytes[FILE_BYTES];
    uint8_t sum[SUM_BYTES];
    ssize_t len = pread(rlog->vote_fd, bytes, sizeof(bytes), 0);

    if (len >= 0 && is_empty(bytes, len)) {
        return ERR_NOT_FOUND;
    }
    if (len != FILE_BYTES) {
        return ERR_CORRUPT;
    }
    hash_digest(HASH_SHA256, slice_make(bytes, NUMBERS_BYTES), sum);
    if (memcmp(sum, bytes + NUMBERS_BYTES, SUM_BYTES) != 0 || get_u32(bytes) != VOTE_FORMAT) {
        return ERR_CORRUPT;
    }
    if (is_equal(loaded, get_u64(bytes + 4), get_u64(bytes + 12)) ||
        is_equal(loaded, get_u64(bytes + 20), get_u64(bytes + 28))) {
        return 0;
    }
    if (!is_by_older_program(rlog, bytes, loaded)) {
        return ERR_CORRUPT;
    }
    log_warn("raft.vote_by_older_program", LOG_STR("dir", rlog->config.dir),
             LOG_UINT("term", loaded->term), LOG_UINT("vote", loaded->vote));
    return ERR_NOT_FOUND;
}

static int sync_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd >= 0 && fsync(fd) == 0 ? 0 : ERR_IO;

    if (fd >= 0) {
        (void)close(fd);
    }
    return rc;
}

static int open_file(struct rlog *rlog)
{
    struct buf path = BUF_EMPTY;

    buf_printf(&path, "%s/%s", rlog->config.dir, VOTE_FILE);
    rlog->vote_fd = open(buf_text(&path), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    buf_deinit(&path);
    return rlog->vote_fd >= 0 ? 0 : ERR_IO;
}

int rlog_check_ballot(struct rlog *rlog, const struct ballot *loaded)
{
    int rc = open_file(rlog);

    if (rc == 0) {
        rc = compare(rlog, loaded);
    }
    rlog->ballot = *loaded;
    if (rc == 0 || rc == ERR_NOT_FOUND) { /* the log has just begun, or an older program wrote it */
        rc = note(rlog, loaded, count_on_disk(rlog));
        if (rc == 0) {
            rc = sync_dir(rlog->config.dir);
        }
    }
    if (rc == ERR_CORRUPT) {
        log_error("raft.vote_differs", LOG_STR("dir", rlog->config.dir),
                  LOG_UINT("term", loaded->term), LOG_UINT("vote", loaded->vote));
    } else if (rc != 0) {
        log_error("raft.vote_not_kept", LOG_STR("dir", rlog->config.dir), LOG_INT("errno", errno));
    }
    return rc;
}

void rlog_close_ballot(struct rlog *rlog)
{
    if (rlog->vote_fd >= 0) {
        (void)close(rlog->vote_fd);
    }
}
