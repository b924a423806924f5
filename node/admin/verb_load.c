/* The verb that takes what a user had on another server, part by part. */
#include "ha/upgrade/upgrade.h"
#include "node/admin/user_set.h"
#include "node/admin/verbs.h"
#include "node/base/mem.h"
#include "xmpp/xml/ns.h"
#include "xmpp/xml/reader.h"
#include "xmpp/xml/writer.h"

#include <string.h>

/* A command that grows. */
struct load {
    struct arena *arena;
    Pb__UserLoad *command;
    const char *user;  /* bare */
    const char *fault; /* of the account */
    size_t bad;        /* entries that are none: strangers may have sent them */
};

static char *text_of(const json_t *item, const char *name)
{
    const char *text = json_string_value(json_object_get(item, name));

    return (char *)(uintptr_t)(text == NULL ? "" : text);
}

/* What a stanza holds has to fit into any stream. */
static bool read_inner(struct load *load, const json_t *item, ProtobufCBinaryData *out)
{
    struct slice bytes = slice_str(text_of(item, "inner"));
    const struct xml_element *element;

    if (bytes.len > 0 && xml_parse_fragment(bytes, NULL, load->arena, &element) != 0) {
        return false;
    }
    *out = (ProtobufCBinaryData){.len = bytes.len, .data = (uint8_t *)(uintptr_t)bytes.data};
    return true;
}

/* Prepared; NULL: it is none. */
static char *read_address(struct load *load, const json_t *item, const char *name, bool is_bare)
{
    struct buf text = BUF_EMPTY;
    struct jid jid;
    char *copy;

    if (jid_parse(slice_str(text_of(item, name)), &jid) != 0) {
        return NULL;
    }
    if (is_bare) {
        jid.resource[0] = '\0';
    }
    jid_format(&jid, &text);
    copy = arena_strndup(load->arena, buf_slice(&text));
    buf_deinit(&text);
    return copy;
}

/* ---- contacts */

static bool read_subscription(const char *text, Pb__RosterItem *item)
{
    static const char *const names[] = {"none", "to", "from", "both"};

    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        if (strcmp(text, names[i]) == 0) {
            item->subscription = (Pb__RosterItem__Subscription)i;
            return true;
        }
    }
    return text[0] == '\0';
}

static bool read_contact(struct load *load, const json_t *from, Pb__RosterItem *item)
{
    const json_t *groups = json_object_get(from, "groups");

    item->contact = read_address(load, from, "jid", true);
    if (item->contact == NULL || !read_subscription(text_of(from, "subscription"), item)) {
        return false;
    }
    item->listed = true;
    item->name = text_of(from, "name");
    item->ask = json_is_true(json_object_get(from, "ask"));
    item->n_groups = json_array_size(groups);
    item->groups = arena_alloc(load->arena, (item->n_groups + 1) * sizeof(char *));
    for (size_t i = 0; i < item->n_groups; i++) {
        const char *group = json_string_value(json_array_get(groups, i));

        if (group == NULL) {
            return false;
        }
        item->groups[i] = (char *)(uintptr_t)group;
    }
    return true;
}

static Pb__Stanza *new_stanza(struct load *load, Pb__Stanza__Kind kind)
{
    Pb__Stanza *stanza = arena_alloc(load->arena, sizeof(*stanza));

    pb__stanza__init(stanza);
    stanza->kind = kind;
    stanza->to = (char *)(uintptr_t)load->user;
    return stanza;
}

static bool read_request(struct load *load, const json_t *from, Pb__RosterItem *item)
{
    item->contact = read_address(load, from, "jid", true);
    item->pending_in = true;
    item->request = new_stanza(load, PB__STANZA__KIND__PRESENCE);
    item->request->from = item->contact;
    item->request->type = (char *)(uintptr_t) "subscribe";
    return item->contact != NULL && read_inner(load, from, &item->request->inner);
}

static void read_items(struct load *load, const json_t *contacts, const json_t *requests)
{
    size_t contact_count = json_array_size(contacts);
    size_t count = contact_count + json_array_size(requests);
    Pb__RosterItem **items = arena_alloc(load->arena, (count + 1) * sizeof(*items));
    size_t good = 0;

    for (size_t i = 0; i < count; i++) {
        Pb__RosterItem *item = arena_alloc(load->arena, sizeof(*item));

        pb__roster_item__init(item);
        if (i < contact_count
                ? read_contact(load, json_array_get(contacts, i), item)
                : read_request(load, json_array_get(requests, i - contact_count), item)) {
            items[good++] = item;
        }
    }
    load->command->items = items;
    load->command->n_items = good;
    load->bad += count - good;
}

/* ---- what it keeps */

/* One element that stands by itself; empty ones are not kept. */
static bool read_kept(struct load *load, const json_t *from, Pb__Kept *kept)
{
    bool is_vcard = strcmp(text_of(from, "kind"), "vcard") == 0;
    const struct xml_element *root;
    const struct xml_element *element;
    struct buf bytes = BUF_EMPTY;

    if (xml_parse_fragment(slice_str(text_of(from, "element")), NULL, load->arena, &root) != 0 ||
        root->child == NULL || root->child->sibling != NULL) {
        return false;
    }
    element = root->child;
    if (is_vcard ? !xml_is(element, NS_VCARD, "vCard")
                 : element->ns[0] == '\0' || strcmp(element->ns, XML_NS_CLIENT) == 0) {
        return false;
    }
    kept->kind = is_vcard ? PB__KEPT__KIND__VCARD : PB__KEPT__KIND__PRIVATE;
    kept->ns = (char *)(uintptr_t)element->ns;
    kept->name = (char *)(uintptr_t)element->name;
    xml_write_element(&bytes, element, "");
    kept->element.len = buf_len(&bytes);
    kept->element.data = (uint8_t *)(uintptr_t)arena_copy(load->arena, buf_slice(&bytes)).data;
    buf_deinit(&bytes);
    return true;
}

static void read_all_kept(struct load *load, const json_t *list)
{
    size_t count = json_array_size(list);
    Pb__Kept **kept = arena_alloc(load->arena, (count + 1) * sizeof(*kept));
    size_t good = 0;

    for (size_t i = 0; i < count; i++) {
        Pb__Kept *one = arena_alloc(load->arena, sizeof(*one));

        pb__kept__init(one);
        if (read_kept(load, json_array_get(list, i), one)) {
            kept[good++] = one;
        }
    }
    load->command->kept = kept;
    load->command->n_kept = good;
    load->bad += count - good;
}

/* ---- messages */

static bool read_message(struct load *load, const json_t *from, Pb__Stanza *stanza)
{
    json_int_t wall_ms = json_integer_value(json_object_get(from, "wall_ms"));

    stanza->from = read_address(load, from, "from", false);
    stanza->type = text_of(from, "type");
    stanza->id = text_of(from, "id");
    stanza->lang = text_of(from, "lang");
    stanza->wall_ms = wall_ms < 0 ? 0 : (uint64_t)wall_ms;
    return stanza->from != NULL && read_inner(load, from, &stanza->inner);
}

static void read_messages(struct load *load, const json_t *list)
{
    size_t count = json_array_size(list);
    Pb__Stanza **messages = arena_alloc(load->arena, (count + 1) * sizeof(*messages));
    size_t good = 0;

    for (size_t i = 0; i < count; i++) {
        Pb__Stanza *message = new_stanza(load, PB__STANZA__KIND__MESSAGE);

        if (read_message(load, json_array_get(list, i), message)) {
            messages[good++] = message;
        }
    }
    load->command->messages = messages;
    load->command->n_messages = good;
    load->bad += count - good;
}

/* ---- the verb */

static Pb__UserSet *read_account(struct request *request, struct load *load, const struct jid *user)
{
    const struct derived *derived = request->derivation.items;
    Pb__UserSet *account;

    if (derived != NULL && derived->rc == 0) {
        return user_set_derived(load->arena, user, derived, request->derivation.iterations);
    }
    if (derived != NULL) {
        load->fault = "this password cannot be used (RFC 4013)";
        return NULL;
    }
    if (json_object_get(request->args, "keys") != NULL) {
        account = user_set_ready(load->arena, user, request->args);
        load->fault = account == NULL ? "no good SCRAM keys" : NULL;
        return account;
    }
    account = arena_alloc(load->arena, sizeof(*account));
    pb__user_set__init(account);
    account->user = (char *)(uintptr_t)load->user;
    return account;
}

static void count_loaded(struct request *request, const struct outcome *outcome)
{
    json_t *result = request->result;

    (void)json_object_set_new(result, "made", json_integer((json_int_t)outcome->row));
    (void)json_object_set_new(result, "left_out", json_integer((json_int_t)outcome->count));
    (void)json_object_set_new(result, "known", json_integer((json_int_t)outcome->known));
    (void)json_object_set_new(result, "full", json_boolean(outcome->full));
}

static void submit_load(struct request *request)
{
    Pb__UserLoad command = PB__USER_LOAD__INIT;
    struct user_command scratch;
    struct load load = {.arena = &scratch.arena, .command = &command};
    struct jid user;

    if (!request_user(request, &user)) {
        return;
    }
    user_command_init(&scratch);
    load.user = user_bare_text(&scratch.arena, &user);
    command.account = read_account(request, &load, &user);
    if (command.account == NULL) {
        request_fail(request, ERR_INVALID, load.fault);
    } else {
        read_items(&load, json_object_get(request->args, "contacts"),
                   json_object_get(request->args, "requests"));
        read_all_kept(&load, json_object_get(request->args, "kept"));
        read_messages(&load, json_object_get(request->args, "messages"));
        scratch.command.body_case = PB__COMMAND__BODY_USER_LOAD;
        scratch.command.user_load = &command;
        request->explain = verb_user_explain;
        request->count = count_loaded;
        request->result = json_pack("{s:I}", "bad", (json_int_t)load.bad);
        request_submit(request, &scratch.command);
    }
    arena_deinit(&scratch.arena);
}

static void derive_or_submit(struct request *request)
{
    const char *password = request_text(request, "password");

    if (password == NULL) {
        submit_load(request);
        return;
    }
    request->derivation.items = mem_zalloc(sizeof(*request->derivation.items));
    request->derivation.count = 1;
    request->derivation.items[0].password = mem_strdup(password);
    request_derive(request, submit_load);
}

static void read_version(struct request *request, struct core *core)
{
    uint32_t written = state_cluster(core_state(core), core_arena(core))->log_version;
    bool has_kept = json_array_size(json_object_get(request->args, "kept")) > 0;
    uint32_t needed = has_kept ? STATE_LOG_VERSION_KEPT : STATE_LOG_VERSION_LOAD;
    char reason[UPGRADE_REASON_BYTES];

    if (!upgrade_may_write(written, needed, reason)) {
        request_deny(request, ERR_NOT_ALLOWED, "%s", reason);
    }
}

void verb_user_load(struct request *request)
{
    request_read_then(request, read_version, derive_or_submit);
}
