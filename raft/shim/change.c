#include "raft/shim/change.h"

#include "raft/shim/wire.h"

/* Version u8, server count u64, and for each server id u64, address with its NUL, role u8; integers
 * little-endian; zeros up to a multiple of 8. */
#define CHANGE_VERSION    1
#define CHANGE_HEAD_BYTES 9

static uint64_t get_u64_little_endian(const uint8_t *bytes)
{
    uint64_t value = 0;

    for (int i = 7; i >= 0; i--) {
        value = value << 8 | bytes[i];
    }
    return value;
}

/* Take one server from the front of rest. */
static int read_server(struct slice *rest, struct raft_configuration *out)
{
    const uint8_t *address;
    const uint8_t *end;
    size_t used;

    if (rest->len <= 8) {
        return ERR_MALFORMED;
    }
    address = rest->data + 8;
    end = memchr(address, 0, rest->len - 8);
    if (end == NULL || end == rest->data + rest->len - 1 || end[1] > RAFT_SPARE) {
        return ERR_MALFORMED;
    }
    used = (size_t)(end + 2 - rest->data);
    if (raft_configuration_add(out, get_u64_little_endian(rest->data), (const char *)address,
                               end[1]) != 0) {
        return ERR_MALFORMED; /* an id or address that was there already */
    }
    *rest = slice_sub(*rest, used, rest->len);
    return 0;
}

int change_decode(struct slice bytes, struct raft_configuration *out)
{
    uint64_t count;
    int rc = 0;

    if (bytes.len < CHANGE_HEAD_BYTES || bytes.data[0] != CHANGE_VERSION) {
        return ERR_MALFORMED;
    }
    count = get_u64_little_endian(bytes.data + 1);
    if (count > WIRE_SERVERS_MAX) {
        return ERR_LIMIT;
    }
    bytes = slice_sub(bytes, CHANGE_HEAD_BYTES, bytes.len);
    for (uint64_t i = 0; i < count && rc == 0; i++) {
        rc = read_server(&bytes, out);
    }
    if (rc != 0) {
        raft_configuration_close(out);
        raft_configuration_init(out);
    }
    return rc;
}
