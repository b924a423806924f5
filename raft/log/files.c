/* files - damage to raft_uv's files that libraft 0.15 does not survive: reading an open segment
 * that ends within a batch it frees memory twice, and the end of a snapshot that is cut short it
 * awaits for ever (defects 35 and 36). Neither comes from a crash: a segment gets its length before
 * it is used and is cut behind its last batch, a snapshot gets its name when it is complete. So
 * they are looked at before libraft does. What the bytes say is libraft's to check, by their
 * checksums. */
#include "raft/log/internal.h"

#include "node/base/log.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEGMENT_FORMAT_BYTES 8
#define BATCH_HEADER_BYTES   16          /* checksums u32 u32, count u64 */
#define LOGGED_HEADER_BYTES  16          /* term u64, type u8, 3 zero bytes, length u32 */
#define SNAPSHOT_BYTES_MAX   (64 * 1024) /* a manifest has 24 */
#define FRAME_MAGIC          0x184d2204u /* of LZ4 */
#define FRAME_HAS_DICTIONARY 0x01u
#define FRAME_HAS_CHECKSUM   0x04u
#define FRAME_HAS_SIZE       0x08u
#define BLOCK_HAS_CHECKSUM   0x10u
#define BLOCK_LENGTH         0x7fffffffu

/* raft_uv's numbers are little-endian. */
static uint64_t read_number(const uint8_t *bytes, unsigned count)
{
    uint64_t number = 0;

    while (count > 0) {
        number = number << 8 | bytes[--count];
    }
    return number;
}

static bool read_at(int fd, uint64_t offset, void *out, size_t len)
{
    return pread(fd, out, len, (off_t)offset) == (ssize_t)len;
}

/* The bytes of a batch at offset; 0: there is none; more than are left: it is cut short. */
static uint64_t batch_bytes(int fd, uint64_t offset, uint64_t file_bytes)
{
    uint8_t header[BATCH_HEADER_BYTES];
    uint64_t bytes = BATCH_HEADER_BYTES;
    uint64_t count;

    if (!read_at(fd, offset, header, sizeof(header))) {
        return UINT64_MAX;
    }
    count = read_number(header + 8, 8);
    if (count > file_bytes / LOGGED_HEADER_BYTES) {
        return UINT64_MAX;
    }
    for (uint64_t i = 0; i < count; i++) {
        uint8_t entry[LOGGED_HEADER_BYTES];

        if (!read_at(fd, offset + BATCH_HEADER_BYTES + i * sizeof(entry), entry, sizeof(entry))) {
            return UINT64_MAX;
        }
        bytes += sizeof(entry) + read_number(entry + 12, 4);
    }
    return count == 0 ? 0 : bytes;
}

/* A file system may give an allocated file back as long as what was written to it: then the zeros
 * that end a segment are missing, too. Less than a header is left; what is not zero there is the
 * begin of one that was cut. */
static bool add_end(int fd, uint64_t offset, uint64_t file_bytes)
{
    uint8_t left[BATCH_HEADER_BYTES] = {0};

    if (!read_at(fd, offset, left, (size_t)(file_bytes - offset))) {
        return false;
    }
    for (size_t i = 0; i < sizeof(left); i++) {
        if (left[i] != 0) {
            return false;
        }
    }
    return ftruncate(fd, (off_t)(file_bytes + BATCH_HEADER_BYTES)) == 0;
}

bool rlog_is_closed_segment(const char *name, raft_index *first, raft_index *last)
{
    int len = 0;

    return sscanf(name, "%llu-%llu%n", first, last, &len) == 2 && name[len] == '\0';
}

uint64_t rlog_segment_term(int fd, uint64_t position)
{
    uint8_t bytes[BATCH_HEADER_BYTES];
    uint64_t offset = SEGMENT_FORMAT_BYTES;
    struct stat status;

    while (fstat(fd, &status) == 0 && read_at(fd, offset, bytes, sizeof(bytes))) {
        uint64_t count = read_number(bytes + 8, 8);
        uint64_t len = batch_bytes(fd, offset, (uint64_t)status.st_size);

        if (len == 0 || len > (uint64_t)status.st_size - offset) {
            return 0;
        }
        if (position < count) {
            offset += BATCH_HEADER_BYTES + position * LOGGED_HEADER_BYTES;
            return read_at(fd, offset, bytes, 8) ? read_number(bytes, 8) : 0;
        }
        position -= count;
        offset += len;
    }
    return 0;
}

bool rlog_segment_is_used(int fd)
{
    uint8_t format[SEGMENT_FORMAT_BYTES];

    return read_at(fd, 0, format, sizeof(format)) && read_number(format, sizeof(format)) != 0;
}

static bool is_whole_segment(int fd, uint64_t file_bytes)
{
    uint64_t offset = SEGMENT_FORMAT_BYTES;

    if (!rlog_segment_is_used(fd)) {
        return true; /* not used yet; libraft judges what is too short for a format */
    }
    while (offset < file_bytes) {
        uint64_t bytes;

        if (file_bytes - offset < BATCH_HEADER_BYTES) {
            return add_end(fd, offset, file_bytes);
        }
        bytes = batch_bytes(fd, offset, file_bytes);
        if (bytes == 0) {
            return true;
        }
        if (bytes > file_bytes - offset) {
            return false;
        }
        offset += bytes;
    }
    return true;
}

/* LZ4 frame format: magic, flags, block size, lengths by the flags, header checksum; blocks, each
 * with its length in front, until one of length 0; checksum by the flags. */
static bool is_whole_frame(const uint8_t *bytes, size_t len)
{
    size_t offset = 7;

    if (len < offset || read_number(bytes, 4) != FRAME_MAGIC) {
        return true; /* libraft does not go into it, or takes it as it is */
    }
    offset += (bytes[4] & FRAME_HAS_SIZE) != 0 ? 8 : 0;
    offset += (bytes[4] & FRAME_HAS_DICTIONARY) != 0 ? 4 : 0;
    while (offset + 4 <= len) {
        size_t block_bytes = read_number(bytes + offset, 4) & BLOCK_LENGTH;

        offset += 4;
        if (block_bytes == 0) {
            return offset + ((bytes[4] & FRAME_HAS_CHECKSUM) != 0 ? 4 : 0) <= len;
        }
        offset += block_bytes + ((bytes[4] & BLOCK_HAS_CHECKSUM) != 0 ? 4 : 0);
    }
    return false;
}

static bool is_whole_snapshot(int fd)
{
    uint8_t bytes[SNAPSHOT_BYTES_MAX];
    ssize_t len = read(fd, bytes, sizeof(bytes));

    return len < 0 || is_whole_frame(bytes, (size_t)len);
}

static bool ends_with(const char *name, const char *end)
{
    size_t len = strlen(name);

    return len >= strlen(end) && strcmp(name + len - strlen(end), end) == 0;
}

static bool is_whole(int dir_fd, const char *name)
{
    bool is_segment = strncmp(name, "open-", 5) == 0;
    bool is_snapshot = strncmp(name, "snapshot-", 9) == 0 && !ends_with(name, ".meta");
    int mode = is_segment ? O_RDWR : O_RDONLY;
    int fd = is_segment || is_snapshot ? openat(dir_fd, name, mode | O_CLOEXEC) : -1;
    struct stat status;
    bool result = true;

    if (fd >= 0 && fstat(fd, &status) == 0) {
        result =
            is_segment ? is_whole_segment(fd, (uint64_t)status.st_size) : is_whole_snapshot(fd);
    }
    if (fd >= 0) {
        (void)close(fd); /* what can not be read libraft says */
    }
    return result;
}

int rlog_check_files(const struct rlog *rlog)
{
    DIR *dir = opendir(rlog->config.dir);
    const struct dirent *item;
    int rc = 0;

    while (dir != NULL && rc == 0 && (item = readdir(dir)) != NULL) {
        if (!is_whole(dirfd(dir), item->d_name)) {
            log_error("raft.file_cut_short", LOG_STR("dir", rlog->config.dir),
                      LOG_STR("file", item->d_name), LOG_STR("hint", RLOG_REJOIN_HINT));
            rc = ERR_CORRUPT;
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return rc;
}
