#include "tests/unit/storage_state/random_command.h"

#define REPEATED_MAX 3

struct filler {
    uint64_t *seed;
    struct state *state;
    uint64_t incarnation;
    struct arena *arena;
};

static const char *const users[] = {"alice@x", "bob@x", "carol@x", "dave@x", "x", "", "@", "bob@y"};
static const char *const addresses[] = {
    "alice@x", "bob@x", "carol@x",   "dave@x", "alice@x/a", "bob@x/a",     "bob@x/b", "x",
    "",        "/",     "carol@x/a", "x/a",    "erin@y",    "erin@else/r", "@"};
static const char *const types[] = {
    "",           "",           "chat",        "normal",      "headline",    "groupchat",
    "error",      "get",        "set",         "result",      "subscribe",   "subscribe",
    "subscribed", "subscribed", "unavailable", "unsubscribe", "unsubscribed"};
static const char *const resources[] = {"a", "b", "a", ""};
static const char *const domains[] = {"x", "x", "y", ""};

#define PICK(filler, list) ((list)[random_below((filler)->seed, ARRAY_COUNT(list))])

uint64_t random_next(uint64_t *seed)
{
    uint64_t z = (*seed += 0x9e3779b97f4a7c15u); /* splitmix64 */

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

unsigned random_below(uint64_t *seed, unsigned limit)
{
    return (unsigned)(random_next(seed) % limit);
}

static bool chance(const struct filler *f, unsigned percent)
{
    return random_below(f->seed, 100) < percent;
}

static void fill(const struct filler *f, ProtobufCMessage *message);

static const char *text_for(const struct filler *f, const char *name)
{
    if (strcmp(name, "user") == 0) {
        return PICK(f, users);
    }
    if (strcmp(name, "to") == 0 || strcmp(name, "contact") == 0) {
        return PICK(f, addresses);
    }
    if (strcmp(name, "type") == 0) {
        return PICK(f, types);
    }
    if (strcmp(name, "resource") == 0) {
        return PICK(f, resources);
    }
    return strcmp(name, "name") == 0 ? PICK(f, domains) : "t";
}

/* A session that is there, mostly; of the sender's, if chance finds one soon. */
static uint64_t some_session(const struct filler *f)
{
    struct row_list list = rows_all(f->state, f->arena, TABLE_SESSION, (struct key){.len = 0});
    const struct row_entry *entry = NULL;

    if (list.count == 0 || chance(f, 3)) {
        return random_below(f->seed, 100);
    }
    for (unsigned i = 0; i < 8; i++) {
        const Pb__SessionRow *row;

        entry = &list.items[random_below(f->seed, (unsigned)list.count)];
        row = entry->row;
        if (row->owner->incarnation == f->incarnation && !row->detached) {
            break;
        }
    }
    return key_last_u64(entry->key);
}

static uint64_t some_position(const struct filler *f)
{
    uint64_t next = f->state->meta.next_position;

    return next - random_below(f->seed, next > 20 ? 20 : (unsigned)next);
}

static uint64_t number_for(const struct filler *f, const char *name)
{
    if (strcmp(name, "session") == 0) {
        return some_session(f);
    }
    if (strstr(name, "position") != NULL) {
        return some_position(f);
    }
    if (strcmp(name, "incarnation") == 0) {
        return chance(f, 95) ? f->incarnation : random_below(f->seed, 6);
    }
    if (strcmp(name, "window_s") == 0) {
        return random_below(f->seed, 100);
    }
    if (strcmp(name, "deadline_ms") == 0) {
        return f->state->meta.time_ms;
    }
    return random_below(f->seed, 6);
}

static ProtobufCBinaryData bytes_for(const struct filler *f, const char *name)
{
    ProtobufCBinaryData bytes = {.data = (uint8_t *)arena_strndup(f->arena, slice_str("<b/>")),
                                 .len = 4};

    if (strcmp(name, "resume_id") == 0) {
        const Pb__SessionRow *row = state_session(f->state, f->arena, some_session(f));

        return row == NULL ? bytes : row->resume_id;
    }
    return bytes;
}

static void fill_one(const struct filler *f, const ProtobufCFieldDescriptor *field, void *member)
{
    const ProtobufCEnumDescriptor *values = field->descriptor;
    ProtobufCMessage *sub;

    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        *(const char **)member = text_for(f, field->name);
        break;
    case PROTOBUF_C_TYPE_BYTES:
        *(ProtobufCBinaryData *)member = bytes_for(f, field->name);
        break;
    case PROTOBUF_C_TYPE_UINT64:
        *(uint64_t *)member = number_for(f, field->name);
        break;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_INT32:
        *(uint32_t *)member = (uint32_t)number_for(f, field->name);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        *(protobuf_c_boolean *)member = chance(f, 50);
        break;
    case PROTOBUF_C_TYPE_ENUM:
        *(int *)member = (int)random_below(f->seed, values->n_values);
        break;
    default:
        ASSERT(field->type == PROTOBUF_C_TYPE_MESSAGE);
        sub = arena_alloc(f->arena,
                          ((const ProtobufCMessageDescriptor *)field->descriptor)->sizeof_message);
        protobuf_c_message_init(field->descriptor, sub);
        fill(f, sub);
        *(ProtobufCMessage **)member = sub;
    }
}

static void fill(const struct filler *f, ProtobufCMessage *message)
{
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        void *member = (char *)message + field->offset;

        if (chance(f, 3)) {
            continue; /* left out, whatever that means */
        }
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            size_t count = random_below(f->seed, REPEATED_MAX + 1);
            ProtobufCMessage **items = arena_alloc(f->arena, (count + 1) * sizeof(*items));

            for (size_t n = 0; n < count; n++) {
                fill_one(f, field, &items[n]);
            }
            *(void **)member = items;
            *(size_t *)((char *)message + field->quantifier_offset) = count;
        } else {
            fill_one(f, field, member);
        }
    }
}

/* Most sessions named belong to the sender, in their newest epoch: else nothing would happen. */
static void aim(const struct filler *f, Pb__From *from)
{
    const Pb__SessionRow *row = state_session(f->state, f->arena, from->session);

    if (row != NULL && chance(f, 95)) {
        from->epoch = row->epoch;
    }
}

static void aim_at_epochs(const struct filler *f, ProtobufCMessage *body)
{
    const ProtobufCFieldDescriptor *session =
        protobuf_c_message_descriptor_get_field_by_name(body->descriptor, "session");
    const ProtobufCFieldDescriptor *epoch =
        protobuf_c_message_descriptor_get_field_by_name(body->descriptor, "epoch");

    if (session != NULL && epoch != NULL) {
        Pb__From from = PB__FROM__INIT;

        from.session = *(uint64_t *)((char *)body + session->offset);
        from.epoch = *(uint32_t *)((char *)body + epoch->offset);
        aim(f, &from);
        *(uint32_t *)((char *)body + epoch->offset) = from.epoch;
    }
    for (unsigned i = 0; i < body->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &body->descriptor->fields[i];
        void *member = (char *)body + field->offset;

        if (field->type != PROTOBUF_C_TYPE_MESSAGE) {
            continue;
        }
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            size_t count = *(size_t *)((char *)body + field->quantifier_offset);

            for (size_t n = 0; n < count; n++) {
                aim_at_epochs(f, (*(ProtobufCMessage ***)member)[n]);
            }
        } else if (*(ProtobufCMessage **)member != NULL) {
            aim_at_epochs(f, *(ProtobufCMessage **)member);
        }
    }
}

static void aim_at_credentials(const struct filler *f, ProtobufCMessage *body)
{
    const ProtobufCFieldDescriptor *version =
        protobuf_c_message_descriptor_get_field_by_name(body->descriptor, "credential_version");
    const ProtobufCFieldDescriptor *user =
        protobuf_c_message_descriptor_get_field_by_name(body->descriptor, "user");
    const Pb__AccountRow *row;

    if (version == NULL || user == NULL) {
        return;
    }
    row = state_account(f->state, f->arena, *(const char **)((char *)body + user->offset));
    if (row != NULL && chance(f, 95)) {
        *(uint64_t *)((char *)body + version->offset) = row->version;
    }
}

/* Presence means something only when type and to fit together. */
static void aim_presence(const struct filler *f, unsigned id, ProtobufCMessage *body)
{
    static const char *const contacts[] = {"alice@x", "bob@x", "carol@x"};
    static const char *const moves[] = {"subscribe",   "subscribe",    "subscribed",
                                        "unsubscribe", "unsubscribed", "unavailable"};
    Pb__SendPresence *send = (Pb__SendPresence *)body;

    if (id != PB__COMMAND__BODY_PRESENCE || send->stanza == NULL || chance(f, 25)) {
        return;
    }
    send->stanza->type = (char *)(chance(f, 50) ? "" : PICK(f, moves));
    send->stanza->to =
        (char *)(send->stanza->type[0] == '\0' || chance(f, 10) ? "" : PICK(f, contacts));
    send->priority -= 1;
}

/* A higher one stops a node (test_alarm.c). */
static void aim_version(unsigned id, ProtobufCMessage *body)
{
    Pb__ClusterSet *set = (Pb__ClusterSet *)body;

    if (id == PB__COMMAND__BODY_CLUSTER_SET && set->log_version > STATE_LOG_VERSION) {
        set->log_version = STATE_LOG_VERSION;
    }
}

/* What is loaded of one user alone is one side of a subscription; check_subscriptions() wants both.
 */
static void aim_load(unsigned id, ProtobufCMessage *body)
{
    const Pb__UserLoad *load = (const Pb__UserLoad *)body;

    for (size_t i = 0; id == PB__COMMAND__BODY_USER_LOAD && i < load->n_items; i++) {
        load->items[i]->subscription = PB__ROSTER_ITEM__SUBSCRIPTION__NONE;
    }
}

/* Commands that end things come seldom, so that the others find something to work with. */
static bool is_rare(unsigned id)
{
    return id == PB__COMMAND__BODY_DOMAIN_REMOVE || id == PB__COMMAND__BODY_USER_REMOVE ||
           id == PB__COMMAND__BODY_KILL || id == PB__COMMAND__BODY_CLOSE ||
           id == PB__COMMAND__BODY_NODE_DOWN || id == PB__COMMAND__BODY_START ||
           id == PB__COMMAND__BODY_DETACH;
}

Pb__Command *random_command(uint64_t *seed, struct state *state, uint64_t incarnation,
                            struct arena *arena)
{
    const struct filler f = {
        .seed = seed, .state = state, .incarnation = incarnation, .arena = arena};
    const ProtobufCMessageDescriptor *type = &pb__command__descriptor;
    Pb__Command *command = arena_alloc(arena, sizeof(*command));
    Pb__Ref *ref = arena_alloc(arena, sizeof(*ref));
    const ProtobufCFieldDescriptor *field;
    ProtobufCMessage *body;

    pb__command__init(command);
    pb__ref__init(ref);
    ref->cookie = 1;
    command->ref = ref;
    do {
        field = &type->fields[1 + random_below(seed, type->n_fields - 1)]; /* behind ref */
    } while (is_rare(field->id) && !chance(&f, 5));
    fill_one(&f, field, &body);
    aim_at_epochs(&f, body);
    aim_at_credentials(&f, body);
    aim_presence(&f, field->id, body);
    aim_version(field->id, body);
    aim_load(field->id, body);
    command->body_case = (Pb__Command__BodyCase)field->id;
    *(ProtobufCMessage **)((char *)command + field->offset) = body;
    return command;
}
