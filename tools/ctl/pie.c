#include "tools/ctl/pie.h"

#include "node/base/buf.h"
#include "node/base/mem.h"
#include "tools/ctl/pie_user.h"
#include "xmpp/xml/document.h"
#include "xmpp/xml/ns.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define READ_BYTES   (64 * 1024)
#define INCLUDES_MAX 4 /* files inside each other: server, host, user, part */
#define ERR_NOT_SAID 1 /* the sink's own error is passed on as it is */
#define DEPTH_FILE   0
#define DEPTH_SERVER 1
#define DEPTH_HOST   2
#define DEPTH_USER   3

const char *const pie_kind_names[PIE_KIND_COUNT] = {
    [PIE_KEPT] = "empty private data", [PIE_PRIVACY] = "privacy lists",
    [PIE_PEP] = "PEP nodes",           [PIE_ARCHIVE] = "archives",
    [PIE_CREDENTIALS] = "credentials", [PIE_CONTACT] = "damaged contacts",
    [PIE_MESSAGE] = "other messages",  [PIE_LARGE] = "entries that are too large or too deep",
    [PIE_OTHER] = "other elements"};

/* A tree is a contact, a message, a request or a key. What is larger is passed over; the file ends
 * with a tag that is larger than any stanza that a server takes. */
static const struct xml_limits limits = {.stanza_bytes_max = 1024 * 1024,
                                         .token_bytes_max = 4 * 1024 * 1024};

struct pie {
    const struct pie_sink *sink;
    size_t *skipped;
    char *host;      /* of the users that follow */
    json_t *user;    /* under way */
    bool is_refused; /* that user; what else there is of it is passed over */
    size_t entries;
    size_t bytes;
    int sink_rc;
};

/* Elements of a user that hold others. */
enum list { LIST_CONTACTS, LIST_PRIVATE, LIST_MESSAGES };

/* A file; its root stands inside base elements of those that include it. */
struct file {
    struct pie *pie;
    const char *path;
    unsigned base;
    unsigned number; /* of files inside each other */
    struct xml_document *document;
    enum list list;    /* whose entries come */
    const char *fault; /* of what is read now */
};

static int read_file(struct pie *pie, const char *path, const struct file *parent, unsigned base);

static int refuse(struct file *file, const char *fault)
{
    file->fault = fault;
    return ERR_INVALID;
}

/* ---- what becomes of an element */

static enum xml_document_choice skip(struct file *file, enum pie_kind kind)
{
    file->pie->skipped[kind]++;
    return XML_DOCUMENT_SKIP;
}

static enum xml_document_choice choose_part(struct file *file, const struct xml_element *tag)
{
    static const struct {
        const char *ns;
        const char *name;
        enum pie_kind kind;
    } known[] = {{"jabber:iq:privacy", "query", PIE_PRIVACY},
                 {"http://jabber.org/protocol/pubsub", "pubsub", PIE_PEP},
                 {"http://jabber.org/protocol/pubsub#owner", "pubsub", PIE_PEP},
                 {"urn:xmpp:pie:0#mam", "archive", PIE_ARCHIVE}};

    if (xml_is(tag, NS_ROSTER, "query") || xml_is(tag, NS_PRIVATE, "query") ||
        xml_is(tag, NS_PIE, "offline-messages")) {
        return XML_DOCUMENT_OPEN;
    }
    /* Prosody 0.12 leaves requests in the namespace of the file. */
    if (xml_is(tag, NS_PIE_SCRAM, "scram-credentials") || xml_is(tag, NS_VCARD, "vCard") ||
        xml_is(tag, XML_NS_CLIENT, "presence") || xml_is(tag, NS_PIE, "presence")) {
        return XML_DOCUMENT_TREE;
    }
    for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
        if (xml_is(tag, known[i].ns, known[i].name)) {
            return skip(file, known[i].kind);
        }
    }
    return skip(file, PIE_OTHER);
}

static bool is_entry(enum list list, const struct xml_element *tag)
{
    switch (list) {
    case LIST_CONTACTS:
        return xml_is(tag, NS_ROSTER, "item");
    case LIST_PRIVATE:
        return true;
    default:
        return xml_is(tag, XML_NS_CLIENT, "message") || xml_is(tag, NS_PIE, "message");
    }
}

static enum xml_document_choice choose(void *ctx, unsigned depth, const struct xml_element *tag)
{
    struct file *file = ctx;

    depth += file->base;
    if (depth >= DEPTH_SERVER && depth <= DEPTH_USER && xml_is(tag, NS_XINCLUDE, "include")) {
        return XML_DOCUMENT_TREE;
    }
    switch (depth) {
    case DEPTH_FILE:
        return XML_DOCUMENT_OPEN; /* open_element() looks at it */
    case DEPTH_SERVER:
        return xml_is(tag, NS_PIE, "host") ? XML_DOCUMENT_OPEN : skip(file, PIE_OTHER);
    case DEPTH_HOST:
        return xml_is(tag, NS_PIE, "user") ? XML_DOCUMENT_OPEN : skip(file, PIE_OTHER);
    case DEPTH_USER:
        return choose_part(file, tag);
    default:
        return is_entry(file->list, tag) ? XML_DOCUMENT_TREE : skip(file, PIE_OTHER);
    }
}

/* ---- containers */

static int open_user(struct file *file, const struct xml_element *tag)
{
    struct pie *pie = file->pie;
    const char *name = xml_attr(tag, "name");
    const char *password = xml_attr(tag, "password");
    struct buf address = BUF_EMPTY;

    if (name == NULL || *name == '\0' || pie->host == NULL) {
        return refuse(file, "a user without a name or a host");
    }
    buf_printf(&address, "%s@%s", name, pie->host);
    pie->user = json_pack("{s:s}", "user", buf_text(&address));
    buf_deinit(&address);
    if (password != NULL && *password != '\0') {
        (void)json_object_set_new(pie->user, "password", json_string(password));
    }
    pie->is_refused = false;
    pie->entries = 0;
    pie->bytes = 0;
    return 0;
}

static int open_element(void *ctx, unsigned depth, const struct xml_element *tag)
{
    struct file *file = ctx;
    const char *host;

    switch (depth + file->base) {
    case DEPTH_FILE:
        return xml_is(tag, NS_PIE, "server-data") ? 0 : refuse(file, "is no file of XEP-0227");
    case DEPTH_SERVER:
        host = xml_attr(tag, "jid");
        if (host == NULL || *host == '\0') {
            return refuse(file, "a host without a jid");
        }
        mem_free(&file->pie->host);
        file->pie->host = mem_strdup(host);
        return 0;
    case DEPTH_HOST:
        return open_user(file, tag);
    default:
        file->list = xml_is(tag, NS_ROSTER, "query")    ? LIST_CONTACTS
                     : xml_is(tag, NS_PRIVATE, "query") ? LIST_PRIVATE
                                                        : LIST_MESSAGES;
        return 0;
    }
}

static int close_user(struct pie *pie)
{
    json_t *user = pie->user;

    pie->user = NULL;
    if (pie->is_refused) {
        json_decref(user);
        return 0;
    }
    if (json_object_get(user, "password") != NULL ||
        json_array_size(json_object_get(user, "keys")) == 0) {
        (void)json_object_del(user, "keys");
    }
    pie_sort_messages(user);
    pie->sink_rc = pie->sink->user(pie->sink->ctx, user);
    return pie->sink_rc;
}

static int close_element(void *ctx, unsigned depth)
{
    struct file *file = ctx;

    return depth + file->base == DEPTH_HOST ? close_user(file->pie) : 0;
}

/* ---- trees */

/* Beside the file that names it, or below: an export is a folder, and no way out of it. */
static bool is_inside(const char *href)
{
    return href != NULL && *href != '\0' && *href != '/' && strchr(href, ':') == NULL &&
           strstr(href, "..") == NULL;
}

static int include(struct file *file, unsigned depth, const struct xml_element *element)
{
    const char *href = xml_attr(element, "href");
    const char *slash = strrchr(file->path, '/');
    struct buf path = BUF_EMPTY;
    int rc;

    if (!is_inside(href) || xml_attr(element, "parse") != NULL ||
        xml_attr(element, "xpointer") != NULL) {
        return refuse(file, "an include of what is no file in the same folder");
    }
    if (file->number >= INCLUDES_MAX) {
        return refuse(file, "files include each other");
    }
    buf_printf(&path, "%.*s%s", slash == NULL ? 0 : (int)(slash - file->path) + 1, file->path,
               href);
    rc = read_file(file->pie, buf_text(&path), file, depth);
    buf_deinit(&path);
    return rc == 0 ? 0 : ERR_NOT_SAID;
}

/* A whole user is easier to see, and to move by other means, than a part of one. */
static void refuse_user(struct pie *pie)
{
    static const char *const lists[] = {"contacts", "requests", "kept", "messages"};

    pie->is_refused = true;
    for (size_t i = 0; i < ARRAY_COUNT(lists); i++) {
        (void)json_object_del(pie->user, lists[i]);
    }
    pie->sink->refuse(pie->sink->ctx, json_string_value(json_object_get(pie->user, "user")),
                      "more of one user than can be");
}

/* The last entry of a list counts with all its bytes. What is escaped is longer than it was in the
 * file. */
static void count_bytes(struct pie *pie, const char *list)
{
    json_t *entries = json_object_get(pie->user, list);
    size_t last = json_array_size(entries) - 1;
    size_t bytes = json_dumpb(json_array_get(entries, last), NULL, 0, JSON_COMPACT);

    if (bytes > PIE_ENTRY_BYTES_MAX) {
        (void)json_array_remove(entries, last);
        pie->skipped[PIE_LARGE]++;
        return;
    }
    pie->bytes += bytes;
    if (pie->bytes > PIE_BYTES_MAX) {
        refuse_user(pie);
    }
}

static void take_kept(struct pie *pie, const struct xml_element *element, bool is_vcard)
{
    if (pie_add_kept(pie->user, element, is_vcard)) {
        count_bytes(pie, "kept");
    } else {
        pie->skipped[PIE_KEPT]++;
    }
}

static void take_part(struct pie *pie, const struct xml_element *element)
{
    if (xml_is(element, NS_PIE_SCRAM, NULL)) {
        if (!pie_add_credentials(pie->user, element)) {
            pie->skipped[PIE_CREDENTIALS]++;
        }
    } else if (xml_is(element, NS_VCARD, NULL)) {
        take_kept(pie, element, true);
    } else if (pie_add_request(pie->user, element)) {
        count_bytes(pie, "requests");
    } else {
        pie->skipped[PIE_OTHER]++;
    }
}

static void take_contact(struct pie *pie, const struct xml_element *element)
{
    if (pie_add_contact(pie->user, element)) {
        count_bytes(pie, "contacts");
    } else {
        pie->skipped[PIE_CONTACT]++;
    }
}

static void take_message(struct pie *pie, const struct xml_element *element)
{
    if (pie_add_message(pie->user, element)) {
        count_bytes(pie, "messages");
    } else {
        pie->skipped[PIE_MESSAGE]++;
    }
}

static int take_tree(void *ctx, unsigned depth, const struct xml_element *element)
{
    struct file *file = ctx;
    struct pie *pie = file->pie;

    depth += file->base;
    if (depth <= DEPTH_USER && xml_is(element, NS_XINCLUDE, "include")) {
        return include(file, depth, element);
    }
    if (pie->is_refused) {
        return 0;
    }
    if (++pie->entries > PIE_ENTRIES_MAX) {
        refuse_user(pie);
    } else if (depth == DEPTH_USER) {
        take_part(pie, element);
    } else if (file->list == LIST_CONTACTS) {
        take_contact(pie, element);
    } else if (file->list == LIST_PRIVATE) {
        take_kept(pie, element, false);
    } else {
        take_message(pie, element);
    }
    return 0;
}

static void pass_over(void *ctx, unsigned depth)
{
    const struct file *file = ctx;

    (void)depth;
    file->pie->skipped[PIE_LARGE]++;
}

static const struct xml_document_sink document_sink = {.choose = choose,
                                                       .open = open_element,
                                                       .tree = take_tree,
                                                       .close = close_element,
                                                       .too_large = pass_over};

/* ---- files */

static const char *text_of(const struct file *file, int rc)
{
    switch (rc) {
    case ERR_RESTRICTED:
        return "comments, processing instructions, DTDs and entities are not read";
    case ERR_LIMIT:
        return "a tag is too large";
    case ERR_MALFORMED:
        return "is no well-formed XML, or not complete";
    default:
        return file->fault != NULL ? file->fault : err_text(rc);
    }
}

static int read_bytes(struct file *file, FILE *stream)
{
    uint8_t *bytes = mem_alloc(READ_BYTES);
    size_t count = 1;
    int rc = 0;

    while (rc == 0 && count > 0) {
        count = fread(bytes, 1, READ_BYTES, stream);
        rc = xml_document_feed(file->document, slice_make(bytes, count));
    }
    mem_free(&bytes);
    return rc == 0 ? xml_document_end(file->document) : rc;
}

static int read_stream(struct pie *pie, FILE *stream, const char *path, const struct file *parent,
                       unsigned base)
{
    struct file file = {
        .pie = pie, .path = path, .base = base, .number = parent == NULL ? 1 : parent->number + 1};
    int rc;

    file.document = xml_document_new(&document_sink, &file, &limits);
    rc = read_bytes(&file, stream);
    if (rc != 0 && rc != ERR_NOT_SAID && pie->sink_rc == 0) {
        pie->sink->say(pie->sink->ctx, path, xml_document_line(file.document), text_of(&file, rc));
    }
    xml_document_free(&file.document);
    return rc;
}

static int read_file(struct pie *pie, const char *path, const struct file *parent, unsigned base)
{
    FILE *stream = fopen(path, "re");
    int rc;

    if (stream == NULL) {
        pie->sink->say(pie->sink->ctx, path, 0, strerror(errno));
        return ERR_IO;
    }
    rc = read_stream(pie, stream, path, parent, base);
    (void)fclose(stream);
    return rc;
}

static int conclude(struct pie *pie, int rc)
{
    json_decref(pie->user);
    mem_free(&pie->host);
    if (pie->sink_rc != 0) {
        return pie->sink_rc;
    }
    return rc == ERR_NOT_SAID ? ERR_INVALID : rc;
}

int pie_read(const char *path, const struct pie_sink *sink, size_t skipped[PIE_KIND_COUNT])
{
    struct pie pie = {.sink = sink, .skipped = skipped};

    return conclude(&pie, read_file(&pie, path, NULL, DEPTH_FILE));
}

int pie_read_stream(FILE *stream, const char *path, const struct pie_sink *sink,
                    size_t skipped[PIE_KIND_COUNT])
{
    struct pie pie = {.sink = sink, .skipped = skipped};

    return conclude(&pie, read_stream(&pie, stream, path, NULL, DEPTH_FILE));
}
