#include "tools/ctl/arguments.h"

#include "tools/ctl/help.h"

#include "node/base/assert.h"
#include "node/base/utf8.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_S_MAX  (24L * 3600)
#define RATE_MAX       100000L
#define DEADLINE_S_MAX (24L * 3600)
#define RATE_UNIT      "/s" /* may follow a rate */

/* ---- options */

/* Texts go where the table says, so that an option is one line here and one in table.c. */
struct option_text {
    const char *name;
    size_t offset;
    unsigned flag;
};

static const struct option_text option_texts[] = {
    {"cluster", offsetof(struct options, cluster_dir), 0},
    {"control", offsetof(struct options, control_path), 0},
    {"csv", offsetof(struct options, csv), OPTION_CSV},
    {"data", offsetof(struct options, data), OPTION_DATA},
    {"dir", offsetof(struct options, dir), OPTION_DIR},
    {"domain", offsetof(struct options, domain), OPTION_DOMAIN},
    {"name", offsetof(struct options, name), OPTION_NAME},
    {"out", offsetof(struct options, out), OPTION_OUT},
    {"password-file", offsetof(struct options, password_file), OPTION_PASSWORD_FILE},
};

enum {
    LETTER_TEXT = 256,
    LETTER_JSON,
    LETTER_NODE,
    LETTER_TIMEOUT,
    LETTER_REPLACE,
    LETTER_DRY_RUN,
    LETTER_RATE,
    LETTER_DEADLINE,
    LETTER_WATCH,
    LETTER_ALL,
    LETTER_WITNESS
};

static const struct option long_options[] = {
    {"all", no_argument, NULL, LETTER_ALL},
    {"cluster", required_argument, NULL, LETTER_TEXT},
    {"control", required_argument, NULL, LETTER_TEXT},
    {"csv", required_argument, NULL, LETTER_TEXT},
    {"data", required_argument, NULL, LETTER_TEXT},
    {"deadline", required_argument, NULL, LETTER_DEADLINE},
    {"dir", required_argument, NULL, LETTER_TEXT},
    {"domain", required_argument, NULL, LETTER_TEXT},
    {"dry-run", no_argument, NULL, LETTER_DRY_RUN},
    {"help", no_argument, NULL, 'h'},
    {"json", no_argument, NULL, LETTER_JSON},
    {"name", required_argument, NULL, LETTER_TEXT},
    {"node", required_argument, NULL, LETTER_NODE},
    {"out", required_argument, NULL, LETTER_TEXT},
    {"password-file", required_argument, NULL, LETTER_TEXT},
    {"rate", required_argument, NULL, LETTER_RATE},
    {"replace", no_argument, NULL, LETTER_REPLACE},
    {"timeout", required_argument, NULL, LETTER_TIMEOUT},
    {"version", no_argument, NULL, 'V'},
    {"watch", no_argument, NULL, LETTER_WATCH},
    {"witness", no_argument, NULL, LETTER_WITNESS},
    {0}};

static void take_text(struct options *options, const char *name, const char *value)
{
    for (size_t i = 0; i < ARRAY_COUNT(option_texts); i++) {
        if (strcmp(option_texts[i].name, name) == 0) {
            memcpy((char *)options + option_texts[i].offset, &value, sizeof(value));
            options->given |= option_texts[i].flag;
        }
    }
}

bool arguments_read_number(const char *text, long most, long *out)
{
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > 10 || text[digits] != '\0') {
        return false;
    }
    *out = strtol(text, NULL, 10);
    return *out > 0 && *out <= most;
}

bool arguments_read_node(const char *text, json_int_t *out)
{
    long node = 0;

    if (!arguments_read_number(text, INT32_MAX, &node)) {
        (void)fprintf(stderr, "musterctl: \"%s\" is no node id\n", text);
        return false;
    }
    *out = node;
    return true;
}

static bool read_number_option(const char *name, const char *text, long most, long *out)
{
    if (!arguments_read_number(text, most, out)) {
        (void)fprintf(stderr, "musterctl: --%s %s: a number from 1 to %ld is needed\n", name, text,
                      most);
        return false;
    }
    return true;
}

static bool read_rate(const char *text, long *out)
{
    char digits[16] = "";
    size_t len = strspn(text, "0123456789");

    if (len < sizeof(digits) && (text[len] == '\0' || strcmp(text + len, RATE_UNIT) == 0)) {
        memcpy(digits, text, len);
    }
    if (!arguments_read_number(digits, RATE_MAX, out)) {
        (void)fprintf(stderr,
                      "musterctl: --rate %s: a number from 1 to %ld is needed, with or without "
                      "\"" RATE_UNIT "\"\n",
                      text, RATE_MAX);
        return false;
    }
    return true;
}

static bool take_option(struct options *options, int letter, const char *name)
{
    switch (letter) {
    case LETTER_TEXT:
        take_text(options, name, optarg);
        return true;
    case LETTER_JSON:
        options->json = true;
        return true;
    case LETTER_NODE:
        return read_number_option(name, optarg, INT32_MAX, &options->node);
    case LETTER_ALL:
        options->given |= OPTION_ALL;
        return true;
    case LETTER_DRY_RUN:
        options->given |= OPTION_DRY_RUN;
        return true;
    case LETTER_REPLACE:
        options->given |= OPTION_REPLACE;
        return true;
    case LETTER_RATE:
        options->given |= OPTION_RATE;
        return read_rate(optarg, &options->rate);
    case LETTER_DEADLINE:
        options->given |= OPTION_DEADLINE;
        return read_number_option(name, optarg, DEADLINE_S_MAX, &options->deadline_s);
    case LETTER_WATCH:
        options->given |= OPTION_WATCH;
        return true;
    case LETTER_WITNESS:
        options->given |= OPTION_WITNESS;
        return true;
    case LETTER_TIMEOUT:
        return read_number_option(name, optarg, TIMEOUT_S_MAX, &options->timeout_s);
    case 'h':
        options->help = true;
        return true;
    case 'V':
        options->version = true;
        return true;
    default:
        (void)fprintf(stderr, "musterctl: musterctl --help lists the options\n");
        return false;
    }
}

/* JSON, and so every request, is UTF-8. */
static bool is_text(char **words, int count)
{
    for (int i = 0; i < count; i++) {
        if (!utf8_valid_text(slice_str(words[i]))) {
            (void)fprintf(stderr, "musterctl: the command line is not UTF-8\n");
            return false;
        }
    }
    return true;
}

/* Where to ask: one place, or one node of a cluster. */
static bool place_is_clear(const struct command *command, const struct options *options)
{
    if (options->cluster_dir != NULL && options->control_path != NULL) {
        (void)fprintf(stderr, "musterctl: --cluster or --control, not both\n");
        return false;
    }
    if (options->node != 0 && options->cluster_dir == NULL &&
        (command->options & OPTION_HOME) == 0) {
        (void)fprintf(stderr, "musterctl: --node needs --cluster; without it, --control names the "
                              "node\n");
        return false;
    }
    return true;
}

int arguments_read(int argc, char **argv, struct options *out, char ***words_out, int *count_out)
{
    int letter;
    int index = 0;

    *out = (struct options){.timeout_s = TIMEOUT_S_DEFAULT};
    optind = 0; /* GNU: begin anew */
    while ((letter = getopt_long(argc, argv, "hV", long_options, &index)) != -1) {
        if (!take_option(out, letter, long_options[index].name)) {
            return EXIT_USAGE;
        }
    }
    if (!is_text(argv, argc)) {
        return EXIT_USAGE;
    }
    /* "utils ha" is another way to write "ha" (musterctl(1)). */
    if (argc - optind >= 2 && strcmp(argv[optind], "utils") == 0 &&
        strcmp(argv[optind + 1], "ha") == 0) {
        optind++;
    }
    *words_out = argv + optind;
    *count_out = argc - optind;
    return 0;
}

/* ---- commands */

/* Words of the argument pattern; those in brackets may be left out. */
static bool count_fits(const struct command *command, int count)
{
    int most = 0;
    int least = 0;

    for (const char *at = command->arguments; *at != '\0';) {
        size_t len = strcspn(at, " ");

        most++;
        least += *at != '[';
        at += len + (at[len] == ' ');
    }
    return count >= least && count <= most;
}

static bool options_fit(const struct command *command, unsigned given)
{
    unsigned alien = given & ~command->options;

    for (size_t i = 0; i < option_help_count; i++) {
        if ((option_helps[i].flag & alien) != 0) {
            (void)fprintf(stderr, "musterctl: this command takes no --%s\n", option_helps[i].name);
        }
    }
    return alien == 0;
}

const struct command *arguments_find(const struct options *options, char **words, int count)
{
    const struct command *command = help_find(words, count);
    int skipped;

    if (command == NULL) {
        help_complain(words, count);
        return NULL;
    }
    skipped = command->verb == NULL ? 1 : 2;
    if (!count_fits(command, count - skipped) || !options_fit(command, options->given)) {
        help_print_use(stderr, command);
        return NULL;
    }
    return place_is_clear(command, options) ? command : NULL;
}
