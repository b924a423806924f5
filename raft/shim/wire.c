#include "raft/shim/wire.h"

#include "raft/shim/change.h"

/* Frame: version u8, type u8, from u64, to u64, then the fields of the type in the order of raft.h,
 * all integers big-endian. AppendEntries: the entries' {term, type, length}, then their bytes. */
#define ENTRY_BYTES 13 /* of one {term, type, length} */

void wire_frame_deinit(struct wire_frame *frame)
{
    buf_deinit(&frame->head);
}

static void put_request_vote(struct buf *out, const struct raft_request_vote *vote)
{
    buf_append_u64(out, vote->term);
    buf_append_u64(out, vote->candidate_id);
    buf_append_u64(out, vote->last_log_index);
    buf_append_u64(out, vote->last_log_term);
    buf_append_u8(out, vote->disrupt_leader ? 1 : 0);
    buf_append_u8(out, vote->pre_vote ? 1 : 0);
}

static void put_append_entries(const struct raft_append_entries *append, struct wire_frame *frame)
{
    struct buf *out = &frame->head;

    ASSERT(append->n_entries <= WIRE_ENTRIES_MAX);
    buf_append_u64(out, append->term);
    buf_append_u64(out, append->prev_log_index);
    buf_append_u64(out, append->prev_log_term);
    buf_append_u64(out, append->leader_commit);
    buf_append_u32(out, append->n_entries);
    for (unsigned i = 0; i < append->n_entries; i++) {
        const struct raft_entry *entry = &append->entries[i];

        buf_append_u64(out, entry->term);
        buf_append_u8(out, (uint8_t)entry->type);
        buf_append_u32(out, (uint32_t)entry->buf.len);
        frame->parts[1 + i] = slice_make(entry->buf.base, entry->buf.len);
    }
    frame->part_count = 1 + append->n_entries;
}

static void put_install_snapshot(struct buf *out, const struct raft_install_snapshot *install)
{
    buf_append_u64(out, install->term);
    buf_append_u64(out, install->last_index);
    buf_append_u64(out, install->last_term);
    buf_append_u64(out, install->conf_index);
    buf_append_u32(out, install->conf.n);
    for (unsigned i = 0; i < install->conf.n; i++) {
        const struct raft_server *server = &install->conf.servers[i];
        struct slice address = slice_str(server->address);

        buf_append_u64(out, server->id);
        buf_append_u8(out, (uint8_t)server->role);
        buf_append_u16(out, (uint16_t)address.len);
        buf_append(out, address);
    }
    buf_append_u32(out, (uint32_t)install->data.len);
    buf_append(out, slice_make(install->data.base, install->data.len));
}

void wire_encode(const struct raft_message *message, raft_id from, struct wire_frame *frame)
{
    struct buf *out = &frame->head;

    buf_clear(out);
    frame->part_count = 1;
    buf_append_u8(out, WIRE_VERSION);
    buf_append_u8(out, (uint8_t)message->type);
    buf_append_u64(out, from);
    buf_append_u64(out, message->server_id);
    switch (message->type) {
    case RAFT_IO_APPEND_ENTRIES:
        put_append_entries(&message->append_entries, frame);
        break;
    case RAFT_IO_APPEND_ENTRIES_RESULT:
        buf_append_u64(out, message->append_entries_result.term);
        buf_append_u64(out, message->append_entries_result.rejected);
        buf_append_u64(out, message->append_entries_result.last_log_index);
        break;
    case RAFT_IO_REQUEST_VOTE:
        put_request_vote(out, &message->request_vote);
        break;
    case RAFT_IO_REQUEST_VOTE_RESULT:
        buf_append_u64(out, message->request_vote_result.term);
        buf_append_u8(out, message->request_vote_result.vote_granted ? 1 : 0);
        buf_append_u8(out, (uint8_t)message->request_vote_result.pre_vote);
        break;
    case RAFT_IO_INSTALL_SNAPSHOT:
        put_install_snapshot(out, &message->install_snapshot);
        break;
    case RAFT_IO_TIMEOUT_NOW:
        buf_append_u64(out, message->timeout_now.term);
        buf_append_u64(out, message->timeout_now.last_log_index);
        buf_append_u64(out, message->timeout_now.last_log_term);
        break;
    default:
        ASSERT(false);
    }
    frame->parts[0] = buf_slice(out);
}

/* A reader that remembers that it ran out of bytes or met a number that can not be, so that fields
 * read on without checks each. */
struct reader {
    struct slice rest;
    bool malformed;
};

static const uint8_t *take(struct reader *reader, size_t len)
{
    const uint8_t *data = reader->rest.data;

    if (reader->malformed || reader->rest.len < len) {
        reader->malformed = true;
        return NULL;
    }
    reader->rest = slice_sub(reader->rest, len, reader->rest.len);
    return data;
}

static uint64_t take_u64(struct reader *reader)
{
    const uint8_t *data = take(reader, 8);

    return data == NULL ? 0 : get_u64(data);
}

/* A term or an index: none is so far that adding to it wraps around. */
static uint64_t take_position(struct reader *reader)
{
    uint64_t position = take_u64(reader);

    reader->malformed = reader->malformed || position > WIRE_POSITION_MAX;
    return position;
}

/* Terms of a log only grow: what comes first must not be of a later term. */
static void expect_order(struct reader *reader, raft_term earlier, raft_term later)
{
    reader->malformed = reader->malformed || earlier > later;
}

static uint32_t take_u32(struct reader *reader)
{
    const uint8_t *data = take(reader, 4);

    return data == NULL ? 0 : get_u32(data);
}

static uint16_t take_u16(struct reader *reader)
{
    const uint8_t *data = take(reader, 2);

    return data == NULL ? 0 : get_u16(data);
}

static uint8_t take_u8(struct reader *reader)
{
    const uint8_t *data = take(reader, 1);

    return data == NULL ? 0 : *data;
}

static int check_end(const struct reader *reader)
{
    return reader->malformed || reader->rest.len != 0 ? ERR_MALFORMED : 0;
}

/* `bytes` of the entries that headers describe: is each change one that libraft can read? */
static int check_changes(struct reader headers, uint32_t count, struct reader bytes)
{
    for (uint32_t i = 0; i < count; i++) {
        struct raft_configuration configuration;
        uint8_t type;
        uint32_t len;
        int rc;

        (void)take_u64(&headers);
        type = take_u8(&headers);
        len = take_u32(&headers);
        if (type == RAFT_CHANGE) {
            raft_configuration_init(&configuration);
            rc = change_decode(slice_sub(bytes.rest, 0, len), &configuration);
            raft_configuration_close(&configuration);
            if (rc != 0) {
                return rc;
            }
        }
        (void)take(&bytes, len);
    }
    return 0;
}

static int check_entries(struct reader reader, const struct raft_append_entries *append,
                         uint32_t count)
{
    struct reader headers = reader;
    raft_term before = append->prev_log_term;
    size_t total = 0;

    for (uint32_t i = 0; i < count; i++) {
        raft_term term = take_position(&headers);
        uint8_t type = take_u8(&headers);
        uint32_t len = take_u32(&headers);

        expect_order(&headers, before, term);
        before = term;
        /* libraft's decoder and its segments need lengths that are multiples of 8 (defect 14). */
        if (headers.malformed || type < RAFT_COMMAND || type > RAFT_CHANGE || len == 0 ||
            len % 8 != 0) {
            return ERR_MALFORMED;
        }
        total += len;
    }
    expect_order(&headers, before, append->term);
    if (headers.malformed || headers.rest.len != total) {
        return ERR_MALFORMED;
    }
    return check_changes(reader, count, headers);
}

/* libraft wants an array of entries and one block with all their bytes, both of its heap. */
static int take_entries(struct reader *reader, struct raft_append_entries *append)
{
    uint32_t count = take_u32(reader);
    struct reader bytes = *reader;
    uint8_t *batch;
    int rc;

    append->entries = NULL;
    append->n_entries = 0;
    if (count > WIRE_ENTRIES_MAX) {
        return ERR_LIMIT;
    }
    if (count == 0) {
        return check_end(reader);
    }
    rc = check_entries(*reader, append, count);
    if (rc != 0) {
        return rc;
    }
    (void)take(&bytes, (size_t)count * ENTRY_BYTES);
    batch = raft_malloc(bytes.rest.len);
    append->entries = raft_calloc(count, sizeof(*append->entries));
    ASSERT(batch != NULL);
    ASSERT(append->entries != NULL);
    memcpy(batch, bytes.rest.data, bytes.rest.len);
    append->n_entries = count;
    for (uint32_t i = 0; i < count; i++) {
        struct raft_entry *entry = &append->entries[i];

        entry->term = take_u64(reader);
        entry->type = take_u8(reader);
        entry->buf.len = take_u32(reader);
        entry->buf.base =
            i == 0 ? batch
                   : (uint8_t *)append->entries[i - 1].buf.base + append->entries[i - 1].buf.len;
        entry->batch = append->entries[0].buf.base;
    }
    return 0;
}

static int take_append_entries(struct reader *reader, struct raft_append_entries *append)
{
    append->term = take_position(reader);
    append->prev_log_index = take_position(reader);
    append->prev_log_term = take_position(reader);
    append->leader_commit = take_position(reader);
    expect_order(reader, append->prev_log_term, append->term);
    return take_entries(reader, append);
}

static int take_append_result(struct reader *reader, struct raft_append_entries_result *result)
{
    result->term = take_position(reader);
    result->rejected = take_position(reader);
    result->last_log_index = take_position(reader);
    return check_end(reader);
}

static int take_request_vote(struct reader *reader, raft_id from, struct raft_request_vote *vote)
{
    vote->term = take_position(reader);
    vote->candidate_id = take_u64(reader);
    reader->malformed = reader->malformed || vote->candidate_id != from;
    vote->last_log_index = take_position(reader);
    vote->last_log_term = take_position(reader);
    expect_order(reader, vote->last_log_term, vote->term);
    vote->disrupt_leader = take_u8(reader) != 0;
    vote->pre_vote = take_u8(reader) != 0;
    return check_end(reader);
}

static int take_vote_result(struct reader *reader, struct raft_request_vote_result *result)
{
    uint8_t pre_vote;

    result->term = take_position(reader);
    result->vote_granted = take_u8(reader) != 0;
    pre_vote = take_u8(reader);
    if (pre_vote > raft_tribool_false) {
        return ERR_MALFORMED;
    }
    result->pre_vote = (raft_tribool)pre_vote;
    return check_end(reader);
}

static int take_server(struct reader *reader, struct raft_configuration *conf)
{
    char address[WIRE_ADDRESS_MAX + 1];
    uint64_t id = take_u64(reader);
    uint8_t role = take_u8(reader);
    uint16_t len = take_u16(reader);
    const uint8_t *text;

    if (len > WIRE_ADDRESS_MAX) {
        return ERR_LIMIT;
    }
    text = take(reader, len);
    if (text == NULL || id == 0 || role > RAFT_SPARE) {
        return ERR_MALFORMED;
    }
    memcpy(address, text, len);
    address[len] = '\0';
    return raft_configuration_add(conf, id, address, role) == 0 ? 0 : ERR_MALFORMED;
}

static int take_snapshot_body(struct reader *reader, struct raft_install_snapshot *install)
{
    uint32_t servers = take_u32(reader);
    uint32_t len;
    const uint8_t *data;

    if (servers > WIRE_SERVERS_MAX) {
        return ERR_LIMIT;
    }
    for (uint32_t i = 0; i < servers; i++) {
        int rc = take_server(reader, &install->conf);

        if (rc != 0) {
            return rc;
        }
    }
    len = take_u32(reader);
    data = take(reader, len);
    if (data == NULL || len == 0 || check_end(reader) != 0) {
        return ERR_MALFORMED;
    }
    install->data.base = raft_malloc(len);
    ASSERT(install->data.base != NULL);
    install->data.len = len;
    memcpy(install->data.base, data, len);
    return 0;
}

static int take_install_snapshot(struct reader *reader, struct raft_install_snapshot *install)
{
    int rc;

    install->term = take_position(reader);
    install->last_index = take_position(reader);
    install->last_term = take_position(reader);
    install->conf_index = take_position(reader);
    expect_order(reader, install->last_term, install->term);
    reader->malformed = reader->malformed || install->conf_index > install->last_index;
    raft_configuration_init(&install->conf);
    rc = take_snapshot_body(reader, install);
    if (rc != 0) {
        raft_configuration_close(&install->conf);
    }
    return rc;
}

static int take_timeout_now(struct reader *reader, struct raft_timeout_now *timeout)
{
    timeout->term = take_position(reader);
    timeout->last_log_index = take_position(reader);
    timeout->last_log_term = take_position(reader);
    expect_order(reader, timeout->last_log_term, timeout->term);
    return check_end(reader);
}

int wire_decode(struct slice bytes, struct wire_received *out)
{
    struct reader reader = {.rest = bytes};
    uint8_t version = take_u8(&reader);
    uint8_t type = take_u8(&reader);

    *out = (struct wire_received){0};
    out->from = take_u64(&reader);
    out->to = take_u64(&reader);
    if (reader.malformed) {
        return ERR_MALFORMED;
    }
    if (version != WIRE_VERSION) {
        return ERR_VERSION;
    }
    out->message.type = type;
    out->message.server_id = out->from;
    switch (type) {
    case RAFT_IO_APPEND_ENTRIES:
        return take_append_entries(&reader, &out->message.append_entries);
    case RAFT_IO_APPEND_ENTRIES_RESULT:
        return take_append_result(&reader, &out->message.append_entries_result);
    case RAFT_IO_REQUEST_VOTE:
        return take_request_vote(&reader, out->from, &out->message.request_vote);
    case RAFT_IO_REQUEST_VOTE_RESULT:
        return take_vote_result(&reader, &out->message.request_vote_result);
    case RAFT_IO_INSTALL_SNAPSHOT:
        return take_install_snapshot(&reader, &out->message.install_snapshot);
    case RAFT_IO_TIMEOUT_NOW:
        return take_timeout_now(&reader, &out->message.timeout_now);
    default:
        return ERR_MALFORMED;
    }
}

void wire_release(struct raft_message *message)
{
    if (message->type == RAFT_IO_APPEND_ENTRIES && message->append_entries.n_entries > 0) {
        raft_free(message->append_entries.entries[0].batch);
        raft_free(message->append_entries.entries);
    } else if (message->type == RAFT_IO_INSTALL_SNAPSHOT) {
        raft_configuration_close(&message->install_snapshot.conf);
        raft_free(message->install_snapshot.data.base);
    }
}
