#include "tools/inspect/row_text.h"

#include <inttypes.h>

/* Fields that must not end up in a bug report. */
static const char *const secret_fields[] = {"salt",      "stored_key", "server_key",
                                            "resume_id", "nonce",      "inner",
                                            "aes_key",   "mac_key",    "decoy_secret"};

void row_text_escape(struct slice bytes, struct buf *out)
{
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t byte = bytes.data[i];

        if (byte == '\\') {
            buf_append_str(out, "\\\\");
        } else if (byte >= 0x20 && byte < 0x7f) {
            buf_append_u8(out, byte);
        } else {
            buf_printf(out, "\\x%02x", byte);
        }
    }
}

static int hex_digit(char digit)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = digit == '\0' ? NULL : strchr(digits, digit);

    return found == NULL ? -1 : (int)(found - digits);
}

int row_text_unescape(const char *text, struct buf *out)
{
    while (*text != '\0') {
        int high;
        int low;

        if (*text != '\\') {
            buf_append_u8(out, (uint8_t)*text++);
            continue;
        }
        if (text[1] == '\\') {
            buf_append_u8(out, '\\');
            text += 2;
            continue;
        }
        high = text[1] == 'x' ? hex_digit(text[2]) : -1;
        low = high < 0 ? -1 : hex_digit(text[3]);
        if (low < 0) {
            return ERR_MALFORMED;
        }
        buf_append_u8(out, (uint8_t)(high << 4 | low));
        text += 4;
    }
    return 0;
}

static bool is_secret(const ProtobufCFieldDescriptor *field)
{
    for (size_t i = 0; i < ARRAY_COUNT(secret_fields); i++) {
        if (strcmp(field->name, secret_fields[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void append_bytes(struct slice bytes, bool hidden, struct buf *out)
{
    if (hidden) {
        buf_printf(out, "<%zu bytes>", bytes.len);
        return;
    }
    buf_append_u8(out, '"');
    row_text_escape(bytes, out);
    buf_append_u8(out, '"');
}

static uint64_t load_number(const ProtobufCFieldDescriptor *field, const void *member)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return *(const uint64_t *)member;
    case PROTOBUF_C_TYPE_BOOL:
        return *(const protobuf_c_boolean *)member != 0;
    default:
        return *(const uint32_t *)member;
    }
}

static void append_enum(const ProtobufCFieldDescriptor *field, int value, struct buf *out)
{
    const ProtobufCEnumValue *named =
        protobuf_c_enum_descriptor_get_value(field->descriptor, value);

    if (named != NULL) {
        buf_append_str(out, named->name);
    } else {
        buf_printf(out, "%d", value);
    }
}

static void append_value(const ProtobufCFieldDescriptor *field, const void *member, bool secrets,
                         struct buf *out)
{
    bool hidden = !secrets && is_secret(field);

    switch (field->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        row_text_message(*(ProtobufCMessage *const *)member, secrets, out);
        break;
    case PROTOBUF_C_TYPE_STRING:
        append_bytes(slice_str(*(char *const *)member), hidden, out);
        break;
    case PROTOBUF_C_TYPE_BYTES: {
        const ProtobufCBinaryData *data = member;

        append_bytes(slice_make(data->data, data->len), hidden, out);
        break;
    }
    case PROTOBUF_C_TYPE_ENUM:
        append_enum(field, *(const int *)member, out);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        buf_append_str(out, load_number(field, member) != 0 ? "true" : "false");
        break;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        buf_printf(out, "%" PRId32, *(const int32_t *)member);
        break;
    default:
        buf_printf(out, "%" PRIu64, load_number(field, member));
        break;
    }
}

static size_t member_size(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
    case PROTOBUF_C_TYPE_STRING:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return sizeof(uint64_t);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    default:
        return sizeof(uint32_t);
    }
}

/* How many values the field has: proto3 does not tell zero from absent. */
static size_t value_count(const ProtobufCFieldDescriptor *field, const uint8_t *message)
{
    const void *member = message + field->offset;
    const uint8_t *quantifier = message + field->quantifier_offset;

    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        return *(const size_t *)(const void *)quantifier;
    }
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        return *(const uint32_t *)(const void *)quantifier == field->id;
    }
    switch (field->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        return *(void *const *)member != NULL;
    case PROTOBUF_C_TYPE_STRING:
        return slice_str(*(char *const *)member).len > 0;
    case PROTOBUF_C_TYPE_BYTES:
        return ((const ProtobufCBinaryData *)member)->len > 0;
    default:
        return load_number(field, member) != 0;
    }
}

static void append_field(const ProtobufCFieldDescriptor *field, const uint8_t *message,
                         size_t count, bool secrets, struct buf *out)
{
    const uint8_t *member = message + field->offset;

    buf_printf(out, "%s: ", field->name);
    if (field->label != PROTOBUF_C_LABEL_REPEATED) {
        append_value(field, member, secrets, out);
        return;
    }
    member = *(uint8_t *const *)(const void *)member;
    for (size_t i = 0; i < count; i++) {
        buf_append_str(out, i == 0 ? "[" : ", ");
        append_value(field, member + i * member_size(field), secrets, out);
    }
    buf_append_u8(out, ']');
}

void row_text_message(const ProtobufCMessage *message, bool secrets, struct buf *out)
{
    const uint8_t *bytes = (const uint8_t *)message;
    const char *separator = "";

    buf_append_u8(out, '{');
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        size_t count = value_count(field, bytes);

        if (count > 0) {
            buf_append_str(out, separator);
            append_field(field, bytes, count, secrets, out);
            separator = ", ";
        }
    }
    buf_append_u8(out, '}');
}
