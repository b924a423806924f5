#include "node/admin/user_set.h"

#include "xmpp/sasl/sasl.h"

#include <string.h>

void user_command_init(struct user_command *scratch)
{
    arena_init(&scratch->arena);
    scratch->command = (Pb__Command)PB__COMMAND__INIT;
}

const char *user_bare_text(struct arena *arena, const struct jid *user)
{
    struct buf text = BUF_EMPTY;
    const char *copy;

    jid_format_bare(user, &text);
    copy = arena_strndup(arena, buf_slice(&text));
    buf_deinit(&text);
    return copy;
}

static ProtobufCBinaryData binary(struct arena *arena, const void *data, size_t len)
{
    struct slice copy = arena_copy(arena, slice_make(data, len));

    return (ProtobufCBinaryData){.len = copy.len, .data = (uint8_t *)(uintptr_t)copy.data};
}

static Pb__UserSet *user_set_new(struct arena *arena, const struct jid *user, size_t key_count)
{
    Pb__UserSet *set = arena_alloc(arena, sizeof(*set));

    pb__user_set__init(set);
    set->user = (char *)(uintptr_t)user_bare_text(arena, user);
    set->n_keys = key_count;
    set->keys = arena_alloc(arena, key_count * sizeof(*set->keys));
    for (size_t i = 0; i < key_count; i++) {
        set->keys[i] = arena_alloc(arena, sizeof(*set->keys[i]));
        pb__scram_key__init(set->keys[i]);
    }
    return set;
}

Pb__UserSet *user_set_derived(struct arena *arena, const struct jid *user,
                              const struct derived *derived, uint32_t iterations)
{
    Pb__UserSet *set = user_set_new(arena, user, DERIVER_KINDS);

    for (size_t i = 0; i < DERIVER_KINDS; i++) {
        size_t size = hash_size(derived_kinds[i]);
        const struct derived_key *key = &derived->keys[i];

        set->keys[i]->mechanism = (char *)(uintptr_t)derived_names[i];
        set->keys[i]->iterations = iterations;
        set->keys[i]->salt = binary(arena, key->salt, sizeof(key->salt));
        set->keys[i]->stored_key = binary(arena, key->stored_key, size);
        set->keys[i]->server_key = binary(arena, key->server_key, size);
    }
    return set;
}

/* ---- ready keys */

/* One ready key, base64 as exported (docs: musterctl(1), "user import"). */
static bool read_key(struct arena *arena, const json_t *item, Pb__ScramKey *key)
{
    static const char *const names[] = {"salt", "stored_key", "server_key"};
    ProtobufCBinaryData *const fields[] = {&key->salt, &key->stored_key, &key->server_key};
    const char *mechanism = json_string_value(json_object_get(item, "mechanism"));
    json_int_t iterations = json_integer_value(json_object_get(item, "iterations"));
    size_t size;

    if (mechanism == NULL || iterations < SASL_ITERATIONS_MIN || iterations > SASL_ITERATIONS_MAX) {
        return false;
    }
    if (strcmp(mechanism, derived_names[0]) != 0 && strcmp(mechanism, derived_names[1]) != 0) {
        return false;
    }
    size = hash_size(strcmp(mechanism, derived_names[0]) == 0 ? HASH_SHA1 : HASH_SHA256);
    key->mechanism = (char *)(uintptr_t)mechanism;
    key->iterations = (uint32_t)iterations;
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        struct buf bytes = BUF_EMPTY;
        const char *text = json_string_value(json_object_get(item, names[i]));
        bool is_good = text != NULL && base64_decode(slice_str(text), &bytes) == 0 &&
                       (i == 0 ? buf_len(&bytes) > 0 : buf_len(&bytes) == size);

        if (is_good) {
            *fields[i] = binary(arena, buf_slice(&bytes).data, buf_len(&bytes));
        }
        buf_deinit(&bytes);
        if (!is_good) {
            return false;
        }
    }
    return true;
}

Pb__UserSet *user_set_ready(struct arena *arena, const struct jid *user, const json_t *row)
{
    const json_t *keys = json_object_get(row, "keys");
    size_t count = json_array_size(keys);
    Pb__UserSet *set;

    if (count == 0 || count > DERIVER_KINDS) {
        return NULL;
    }
    set = user_set_new(arena, user, count);
    for (size_t i = 0; i < count; i++) {
        if (!read_key(arena, json_array_get(keys, i), set->keys[i]) ||
            (i > 0 && strcmp(set->keys[i]->mechanism, set->keys[0]->mechanism) == 0)) {
            return NULL;
        }
    }
    return set;
}
