/* muster-inspect - print a node's store: its mark, its tables, its rows; and check that the state
 * hash is the sum over the rows. Reads only; the node may run meanwhile. */
#include "storage/kv/kv_view.h"
#include "storage/state/rows.h"
#include "tools/inspect/row_text.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define EXIT_DAMAGED 1
#define EXIT_USAGE   2
#define EXIT_NO_OPEN 3

static const char help[] =
    "NAME\n"
    "    muster-inspect - look into the store of a Muster node\n"
    "\n"
    "SYNOPSIS\n"
    "    muster-inspect [--no-hash] PATH\n"
    "    muster-inspect --table NAME [--prefix KEY] [--limit N] [--hex | --secrets] PATH\n"
    "\n"
    "DESCRIPTION\n"
    "    PATH is a node's data directory, the directory of its store (state), or a file that\n"
    "    holds a copy of a store. Nothing is written. The node may run meanwhile; its store grows\n"
    "    while it is looked at, so do not leave a listing waiting in a pager.\n"
    "\n"
    "    Without --table: the mark to which the content belongs (index and term of the last log\n"
    "    entry in it, the state hash there), the tables with their rows, and the state hash\n"
    "    recomputed from the rows. Nodes of one cluster have equal hashes at equal index.\n"
    "\n"
    "OPTIONS\n"
    "    --no-hash       do not read all rows to recompute the hash\n"
    "    --table NAME    print the rows of a table: key, tab, value\n"
    "    --prefix KEY    only rows whose key starts with KEY, written as keys are printed\n"
    "                    (\\xNN for a byte, \\\\ for a backslash)\n"
    "    --limit N       at most N rows\n"
    "    --hex           keys and values as hexadecimal bytes, secrets included\n"
    "    --secrets       print credentials, resumption ids and the content of stanzas; otherwise\n"
    "                    only how long they are\n"
    "    --help          this text\n"
    "\n"
    "EXIT STATUS\n"
    "    0  all is well\n"
    "    1  the hash differs, or something can not be read: the store is damaged\n"
    "    2  wrong usage\n"
    "    3  PATH can not be opened as a store\n"
    "\n"
    "EXAMPLES\n"
    "    muster-inspect /var/lib/muster\n"
    "    muster-inspect --table account --prefix 'example.test\\x00' /var/lib/muster\n";

struct options {
    const char *path;
    const char *table; /* NULL: the summary */
    struct buf prefix;
    uint64_t limit;
    bool hex;
    bool secrets;
    bool no_hash;
};

static int usage_error(const char *text)
{
    (void)fprintf(stderr, "muster-inspect: %s; see muster-inspect --help\n", text);
    return EXIT_USAGE;
}

static int damaged(const char *what, int rc)
{
    (void)fprintf(stderr, "muster-inspect: %s: %s\n", what, err_text(rc));
    return EXIT_DAMAGED;
}

static int print_tables(const struct kv_view *view, size_t count)
{
    struct kv_view_table table;

    (void)printf("\n%-20s %12s %16s\n", "table", "rows", "bytes");
    for (unsigned i = 0; i < count; i++) {
        int rc = kv_view_table(view, i, &table);

        if (rc != 0) {
            return damaged("tables", rc);
        }
        (void)printf("%-20s %12" PRIu64 " %16" PRIu64 "\n", table.name, table.row_count,
                     table.bytes);
    }
    return 0;
}

static int print_hash(const struct kv_view *view, uint64_t expected)
{
    uint64_t hash = 0;
    int rc = kv_view_hash(view, &hash);

    if (rc != 0) {
        return damaged("rows", rc);
    }
    (void)printf("\nrecomputed hash  %016" PRIx64 "  %s\n", hash,
                 hash == expected ? "equal" : "DIFFERS");
    return hash == expected ? 0 : EXIT_DAMAGED;
}

static int print_summary(const struct kv_view *view, const struct options *options)
{
    struct kv_view_info info;
    int rc;

    kv_view_info(view, &info);
    (void)printf("schema           %" PRIu32 "\n", info.schema);
    (void)printf("applied index    %" PRIu64 "\n", info.mark.index);
    (void)printf("applied term     %" PRIu64 "\n", info.mark.term);
    (void)printf("state hash       %016" PRIx64 "\n", info.mark.hash);
    (void)printf("file             %" PRIu64 " of at most %" PRIu64 " bytes\n", info.file_bytes,
                 info.map_bytes);
    rc = print_tables(view, info.table_count);
    if (rc != 0 || options->no_hash) {
        return rc;
    }
    return print_hash(view, info.mark.hash);
}

/* The number of a table by name, or the count of tables. */
static unsigned find_table(const struct kv_view *view, size_t count, const char *name)
{
    struct kv_view_table table;
    unsigned number = 0;

    while (number < count) {
        if (kv_view_table(view, number, &table) == 0 && strcmp(table.name, name) == 0) {
            break;
        }
        number++;
    }
    return number;
}

/* The tables that this program knows. */
static bool is_table(unsigned number, const char *name)
{
    return number < TABLE_COUNT && strcmp(name, state_tables[number]) == 0;
}

/* Whoever has a resumption id can take the session over. */
static void print_key(unsigned table, struct slice key, const struct options *options,
                      struct buf *line)
{
    if (is_table(table, options->table) && !options->secrets &&
        (table == TABLE_RESUME || table == TABLE_ENDED)) {
        buf_printf(line, "<%zu bytes>", key.len);
    } else {
        row_text_escape(key, line);
    }
}

/* The value as its table's message; as bytes when this program does not know the table, or when it
 * is none. */
static void print_decoded(unsigned table, struct slice value, const struct options *options,
                          struct buf *line)
{
    const ProtobufCMessageDescriptor *descriptor =
        is_table(table, options->table) ? row_descriptor((enum table)table) : NULL;
    ProtobufCMessage *message =
        descriptor == NULL ? NULL
                           : protobuf_c_message_unpack(descriptor, NULL, value.len, value.data);

    if (message != NULL) {
        row_text_message(message, options->secrets, line);
        protobuf_c_message_free_unpacked(message, NULL);
    } else if (options->secrets) {
        row_text_escape(value, line);
    } else {
        buf_printf(line, "<%zu bytes>", value.len);
    }
}

static void print_hex(struct slice bytes, struct buf *line)
{
    for (size_t i = 0; i < bytes.len; i++) {
        buf_printf(line, "%02x", bytes.data[i]);
    }
}

static void print_row(unsigned table, struct slice key, struct slice value,
                      const struct options *options)
{
    struct buf line = BUF_EMPTY;

    if (options->hex) {
        print_hex(key, &line);
        buf_append_u8(&line, '\t');
        print_hex(value, &line);
    } else {
        print_key(table, key, options, &line);
        buf_append_u8(&line, '\t');
        print_decoded(table, value, options, &line);
    }
    (void)puts(buf_text(&line));
    buf_deinit(&line);
}

static int print_rows(struct kv_view *view, const struct options *options)
{
    struct slice prefix = buf_slice(&options->prefix);
    struct kv_view_info info;
    struct slice key;
    struct slice value;
    unsigned table;
    int rc;

    kv_view_info(view, &info);
    table = find_table(view, info.table_count, options->table);
    if (table == info.table_count) {
        return usage_error("no such table");
    }
    rc = kv_view_seek(view, table, prefix);
    for (uint64_t row = 0; rc == 0 && row < options->limit; row++) {
        rc = kv_view_next(view, &key, &value);
        if (rc != 1 || !slice_starts_with(key, prefix)) {
            rc = rc < 0 ? rc : 0;
            break;
        }
        print_row(table, key, value, options);
        rc = 0;
    }
    return rc == 0 ? 0 : damaged("rows", rc);
}

static int parse_limit(const char *text, uint64_t *out)
{
    char *end;

    *out = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' ? 0 : ERR_INVALID;
}

/* 0, or an exit status. */
static int parse_options(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {
        {"table", required_argument, NULL, 't'}, {"prefix", required_argument, NULL, 'p'},
        {"limit", required_argument, NULL, 'l'}, {"hex", no_argument, NULL, 'x'},
        {"secrets", no_argument, NULL, 's'},     {"no-hash", no_argument, NULL, 'n'},
        {"help", no_argument, NULL, 'h'},        {0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 't':
            options->table = optarg;
            break;
        case 'p':
            if (row_text_unescape(optarg, &options->prefix) != 0) {
                return usage_error("--prefix: bad escape");
            }
            break;
        case 'l':
            if (parse_limit(optarg, &options->limit) != 0) {
                return usage_error("--limit: not a number");
            }
            break;
        case 'x':
            options->hex = true;
            break;
        case 's':
            options->secrets = true;
            break;
        case 'n':
            options->no_hash = true;
            break;
        case 'h':
            (void)fputs(help, stdout);
            exit(EXIT_SUCCESS);
        default:
            return usage_error("unknown option");
        }
    }
    if (argc - optind != 1) {
        return usage_error("one PATH is needed");
    }
    if (options->table == NULL && (buf_len(&options->prefix) > 0 || options->hex)) {
        return usage_error("--prefix and --hex need --table");
    }
    options->path = argv[optind];
    return 0;
}

/* A data directory holds the store in a directory of its own. */
static int open_store(const char *path, struct kv_view **out)
{
    struct buf inner = BUF_EMPTY;
    struct stat status;
    int rc;

    buf_printf(&inner, "%s/state", path);
    rc = kv_view_open(stat(buf_text(&inner), &status) == 0 ? buf_text(&inner) : path, out);
    buf_deinit(&inner);
    return rc;
}

int main(int argc, char **argv)
{
    struct options options = {.limit = UINT64_MAX};
    struct kv_view *view = NULL;
    int exit_status = parse_options(argc, argv, &options);
    int rc;

    if (exit_status != 0) {
        buf_deinit(&options.prefix);
        return exit_status;
    }
    rc = open_store(options.path, &view);
    if (rc != 0) {
        (void)fprintf(stderr, "muster-inspect: %s: %s\n", options.path, err_text(rc));
        buf_deinit(&options.prefix);
        return EXIT_NO_OPEN;
    }
    exit_status =
        options.table == NULL ? print_summary(view, &options) : print_rows(view, &options);
    kv_view_close(&view);
    buf_deinit(&options.prefix);
    return exit_status;
}
