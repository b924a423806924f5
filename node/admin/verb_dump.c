/* The verb that tells all that is to be moved of a user, as user.load takes it. */
#include "node/admin/verbs.h"
#include "node/base/crypto.h"

static json_t *base64_item(ProtobufCBinaryData bytes)
{
    struct buf text = BUF_EMPTY;
    json_t *item;

    base64_encode(slice_make(bytes.data, bytes.len), &text);
    item = json_string(buf_text(&text));
    buf_deinit(&text);
    return item;
}

/* Of nothing, protobuf-c has no address, and json_stringn() makes nothing of that. */
static json_t *inner_item(ProtobufCBinaryData inner)
{
    return inner.len == 0 ? json_string("") : json_stringn((const char *)inner.data, inner.len);
}

static json_t *keys_item(const Pb__AccountRow *account)
{
    json_t *keys = json_array();

    for (size_t i = 0; i < account->n_keys; i++) {
        const Pb__ScramKey *key = account->keys[i];

        (void)json_array_append_new(
            keys,
            json_pack("{s:s,s:I,s:o,s:o,s:o}", "mechanism", key->mechanism, "iterations",
                      (json_int_t)key->iterations, "salt", base64_item(key->salt), "stored_key",
                      base64_item(key->stored_key), "server_key", base64_item(key->server_key)));
    }
    return keys;
}

struct lists {
    json_t *contacts;
    json_t *requests;
};

static bool add_item(void *ctx, const Pb__RosterItem *item)
{
    static const char *const subscriptions[] = {"none", "to", "from", "both"};
    const struct lists *lists = ctx;
    json_t *groups;

    if (item->pending_in && item->request != NULL) {
        (void)json_array_append_new(lists->requests,
                                    json_pack("{s:s,s:o}", "jid", item->contact, "inner",
                                              inner_item(item->request->inner)));
    }
    if (!item->listed) {
        return true;
    }
    groups = json_array();
    for (size_t i = 0; i < item->n_groups; i++) {
        (void)json_array_append_new(groups, json_string(item->groups[i]));
    }
    (void)json_array_append_new(
        lists->contacts,
        json_pack("{s:s,s:s,s:s,s:b,s:o}", "jid", item->contact, "name", item->name, "subscription",
                  subscriptions[item->subscription & 3], "ask", (int)item->ask, "groups", groups));
    return true;
}

static bool add_message(void *ctx, const Pb__Stanza *stanza)
{
    (void)json_array_append_new(ctx, json_pack("{s:s,s:s,s:s,s:s,s:o,s:I}", "from", stanza->from,
                                               "type", stanza->type, "id", stanza->id, "lang",
                                               stanza->lang, "inner", inner_item(stanza->inner),
                                               "wall_ms", (json_int_t)stanza->wall_ms));
    return true;
}

static bool add_kept(void *ctx, const Pb__Kept *kept)
{
    const char *kind = kept->kind == PB__KEPT__KIND__VCARD ? "vcard" : "private";

    (void)json_array_append_new(
        ctx, json_pack("{s:s,s:o}", "kind", kind, "element", inner_item(kept->element)));
    return true;
}

static void read_dump(struct request *request, struct core *core)
{
    const char *user = request_text(request, "bare");
    const Pb__AccountRow *account = state_account(core_state(core), core_arena(core), user);
    struct lists lists;
    json_t *kept;
    json_t *messages;

    if (account == NULL) {
        request_deny(request, ERR_NOT_FOUND, "there is no account %s", user);
        return;
    }
    lists = (struct lists){.contacts = json_array(), .requests = json_array()};
    kept = json_array();
    messages = json_array();
    state_each_roster_item(core_state(core), user, add_item, &lists);
    state_each_kept(core_state(core), user, add_kept, kept);
    state_each_offline(core_state(core), user, add_message, messages);
    request->result =
        json_pack("{s:s,s:o,s:o,s:o,s:o,s:o}", "user", user, "keys", keys_item(account), "contacts",
                  lists.contacts, "requests", lists.requests, "kept", kept, "messages", messages);
}

void verb_user_dump(struct request *request)
{
    struct buf text = BUF_EMPTY;
    struct jid user;

    if (!request_user(request, &user)) {
        return;
    }
    jid_format_bare(&user, &text);
    (void)json_object_set_new(request->args, "bare", json_string(buf_text(&text)));
    buf_deinit(&text);
    request_read_state(request, read_dump);
}
