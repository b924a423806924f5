#include "tests/unit/storage_state/command_text.h"

#include "tests/unit/storage_state/world.h"

#include <stdio.h>
#include <stdlib.h>

struct parser {
    struct state *state;
    struct arena *arena;
    Pb__Command command;
    const char *user; /* the last user= seen, for "$" */
};

static void set_field(struct parser *p, ProtobufCMessage *message,
                      const ProtobufCFieldDescriptor *field, void *member, char *path, char *value);

static void fail_at(const char *what, const char *text)
{
    fail_msg("command text: %s at '%s'", what, text);
}

static ProtobufCMessage *new_message(struct parser *p, const ProtobufCMessageDescriptor *type)
{
    ProtobufCMessage *message = arena_alloc(p->arena, type->sizeof_message);

    protobuf_c_message_init(type, message);
    return message;
}

/* path: "name", "name.sub", "name.0.sub" */
static void set_path(struct parser *p, ProtobufCMessage *message, char *path, char *value)
{
    char *rest = strchr(path, '.');
    const ProtobufCFieldDescriptor *field;

    if (rest != NULL) {
        *rest++ = '\0';
    }
    field = protobuf_c_message_descriptor_get_field_by_name(message->descriptor, path);
    if (field == NULL) {
        fail_at("no such field", path);
        return;
    }
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        *(uint32_t *)((char *)message + field->quantifier_offset) = field->id;
    }
    set_field(p, message, field, (char *)message + field->offset, rest, value);
}

/* "1:2:3" gives the fields of a message in order. */
static void set_positional(struct parser *p, ProtobufCMessage *message, char *value)
{
    char *save = NULL;
    unsigned at = 0;

    for (char *part = strtok_r(value, ":", &save); part != NULL;
         part = strtok_r(NULL, ":", &save)) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[at++];

        assert_true(at <= message->descriptor->n_fields);
        set_field(p, message, field, (char *)message + field->offset, NULL, part);
    }
}

static void set_bytes(struct parser *p, ProtobufCBinaryData *member, const char *value)
{
    if (value[0] == '$') {
        const Pb__SessionRow *row =
            state_session(p->state, p->arena, strtoull(value + 1, NULL, 10));

        assert_non_null(row);
        *member = row->resume_id;
        return;
    }
    *member = (ProtobufCBinaryData){.data = (uint8_t *)arena_strndup(p->arena, slice_str(value)),
                                    .len = strlen(value)};
}

static uint64_t number_of(struct parser *p, const char *value)
{
    if (strcmp(value, "$") == 0) {
        const Pb__AccountRow *row = state_account(p->state, p->arena, p->user);

        return row == NULL ? 0 : row->version;
    }
    return strtoull(value, NULL, 10);
}

static int enum_of(const ProtobufCFieldDescriptor *field, const char *value)
{
    const ProtobufCEnumValue *found =
        protobuf_c_enum_descriptor_get_value_by_name(field->descriptor, value);

    if (found == NULL) {
        fail_at("no such value", value);
        return 0;
    }
    return found->value;
}

static void set_scalar(struct parser *p, const ProtobufCFieldDescriptor *field, void *member,
                       char *value)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_UINT64:
        *(uint64_t *)member = number_of(p, value);
        break;
    case PROTOBUF_C_TYPE_UINT32:
        *(uint32_t *)member = (uint32_t)number_of(p, value);
        break;
    case PROTOBUF_C_TYPE_INT32:
        *(int32_t *)member = atoi(value);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        *(protobuf_c_boolean *)member = atoi(value) != 0;
        break;
    case PROTOBUF_C_TYPE_ENUM:
        *(int *)member = enum_of(field, value);
        break;
    case PROTOBUF_C_TYPE_STRING:
        *(char **)member = arena_strndup(p->arena, slice_str(value));
        if (strcmp(field->name, "user") == 0) {
            p->user = *(char **)member;
        }
        break;
    case PROTOBUF_C_TYPE_BYTES:
        set_bytes(p, member, value);
        break;
    default:
        fail_at("unknown type", field->name);
    }
}

/* The place of element index in a repeated field, made when it is the next one. */
static void *element(struct parser *p, ProtobufCMessage *message,
                     const ProtobufCFieldDescriptor *field, size_t index)
{
    const size_t max = 64;
    size_t *count = (size_t *)((char *)message + field->quantifier_offset);
    void ***array = (void ***)((char *)message + field->offset);

    assert_true(index <= *count && index < max);
    if (*array == NULL) {
        *array = arena_alloc(p->arena, max * sizeof(void *));
    }
    if (index == *count) {
        (*count)++;
    }
    return &(*array)[index];
}

static void set_field(struct parser *p, ProtobufCMessage *message,
                      const ProtobufCFieldDescriptor *field, void *member, char *path, char *value)
{
    ProtobufCMessage **sub;

    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        char *rest = NULL;
        size_t index = path == NULL ? 0 : strtoul(path, &rest, 10);

        member = element(p, message, field, index);
        path = rest != NULL && *rest == '.' ? rest + 1 : NULL;
    }
    if (field->type != PROTOBUF_C_TYPE_MESSAGE) {
        set_scalar(p, field, member, value);
        return;
    }
    sub = member;
    if (*sub == NULL) {
        *sub = new_message(p, field->descriptor);
    }
    if (path != NULL) {
        set_path(p, *sub, path, value);
    } else if (value[0] != '\0') {
        set_positional(p, *sub, value);
    }
}

/* Cut at blanks, but not inside 'single quotes', which go. */
static char *next_word(char **rest)
{
    char *word = *rest + strspn(*rest, " ");
    char *out = word, *in = word;
    bool quoted = false;

    if (*word == '\0') {
        return NULL;
    }
    for (; *in != '\0' && (quoted || *in != ' '); in++) {
        if (*in == '\'') {
            quoted = !quoted;
        } else {
            *out++ = *in;
        }
    }
    *rest = *in == '\0' ? in : in + 1;
    *out = '\0';
    return word;
}

void command_from_text(struct state *state, const char *line, uint64_t cookie, struct buf *out)
{
    struct arena arena;
    struct parser p = {.state = state, .arena = &arena, .user = ""};
    Pb__Ref ref = PB__REF__INIT;
    const ProtobufCFieldDescriptor *body;
    char *rest, *name, *word;
    size_t size;

    arena_init(&arena);
    pb__command__init(&p.command);
    ref.cookie = cookie;
    p.command.ref = cookie == 0 ? NULL : &ref;
    rest = arena_strndup(&arena, slice_str(line));
    name = next_word(&rest);
    body = protobuf_c_message_descriptor_get_field_by_name(&pb__command__descriptor, name);
    if (body == NULL) {
        fail_at("no such command", line);
        return;
    }
    p.command.body_case = (Pb__Command__BodyCase)body->id;
    *(ProtobufCMessage **)((char *)&p.command + body->offset) = new_message(&p, body->descriptor);
    while ((word = next_word(&rest)) != NULL) {
        char *value = strchr(word, '=');

        if (value == NULL) {
            fail_at("no value", word);
            break;
        }
        *value++ = '\0';
        set_path(&p, *(ProtobufCMessage **)((char *)&p.command + body->offset), word, value);
    }
    size = pb__command__get_packed_size(&p.command);
    pb__command__pack(&p.command, buf_reserve(out, size + 1));
    buf_commit(out, size);
    arena_deinit(&arena);
}
