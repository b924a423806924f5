/* musterctl - the operator's command: NOUN VERB ARGUMENTS, to the control socket of a node. */
#include "tools/ctl/ctl.h"

#include "node/base/assert.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- help */

static void print_options(FILE *out, unsigned taken)
{
    for (size_t i = 0; i < option_help_count; i++) {
        const struct option_help *help = &option_helps[i];
        char left[40];

        if (help->flag == 0 || (help->flag & taken) != 0) {
            (void)snprintf(left, sizeof(left), "--%s%s%s", help->name,
                           help->value == NULL ? "" : " ", help->value == NULL ? "" : help->value);
            (void)fprintf(out, "  %-22s %s\n", left, help->text);
        }
    }
}

static void print_command(FILE *out, const struct command *command)
{
    char left[60];

    (void)snprintf(left, sizeof(left), "%s%s%s %s", command->noun, command->verb == NULL ? "" : " ",
                   command->verb == NULL ? "" : command->verb, command->arguments);
    (void)fprintf(out, "  %-26s %s\n", left, command->summary);
}

/* All commands, or those of one noun. */
static int usage(FILE *out, const char *noun, int code)
{
    unsigned taken = 0;

    (void)fprintf(out, "usage: musterctl [OPTIONS] NOUN VERB [ARGUMENTS]\n\n");
    for (size_t i = 0; i < command_count; i++) {
        if (noun == NULL || strcmp(noun, commands[i].noun) == 0) {
            print_command(out, &commands[i]);
            taken |= commands[i].options;
        }
    }
    (void)fprintf(out, "\n");
    print_options(out, taken);
    (void)fprintf(out,
                  "\nexit: 0 done, 1 refused, 2 usage, 3 no node reached, 4 outcome unknown\n");
    return code;
}

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
    {"data", offsetof(struct options, data), OPTION_DATA},
    {"dir", offsetof(struct options, dir), OPTION_DIR},
    {"domain", offsetof(struct options, domain), OPTION_DOMAIN},
    {"name", offsetof(struct options, name), OPTION_NAME},
    {"password-file", offsetof(struct options, password_file), OPTION_PASSWORD_FILE},
};

enum { LETTER_TEXT = 256, LETTER_JSON, LETTER_NODE, LETTER_TIMEOUT, LETTER_REPLACE };

static const struct option long_options[] = {
    {"cluster", required_argument, NULL, LETTER_TEXT},
    {"control", required_argument, NULL, LETTER_TEXT},
    {"data", required_argument, NULL, LETTER_TEXT},
    {"dir", required_argument, NULL, LETTER_TEXT},
    {"domain", required_argument, NULL, LETTER_TEXT},
    {"help", no_argument, NULL, 'h'},
    {"json", no_argument, NULL, LETTER_JSON},
    {"name", required_argument, NULL, LETTER_TEXT},
    {"node", required_argument, NULL, LETTER_NODE},
    {"password-file", required_argument, NULL, LETTER_TEXT},
    {"replace", no_argument, NULL, LETTER_REPLACE},
    {"timeout", required_argument, NULL, LETTER_TIMEOUT},
    {"version", no_argument, NULL, 'V'},
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

static bool read_number(const char *text, long *out)
{
    char *end;

    *out = strtol(text, &end, 10);
    return *end == '\0' && *out > 0;
}

/* False: said on stderr. */
static bool read_options(int argc, char **argv, struct options *options, bool *help, bool *version)
{
    int letter;
    int index = 0;
    bool good = true;

    while (good && (letter = getopt_long(argc, argv, "hV", long_options, &index)) != -1) {
        switch (letter) {
        case LETTER_TEXT:
            take_text(options, long_options[index].name, optarg);
            break;
        case LETTER_JSON:
            options->json = true;
            break;
        case LETTER_NODE:
            good = read_number(optarg, &options->node);
            break;
        case LETTER_REPLACE:
            options->given |= OPTION_REPLACE;
            break;
        case LETTER_TIMEOUT:
            good = read_number(optarg, &options->timeout_s);
            break;
        case 'h':
            *help = true;
            break;
        case 'V':
            *version = true;
            break;
        default:
            return false;
        }
    }
    if (!good) {
        (void)fprintf(stderr, "musterctl: %s is not a number\n", optarg);
    }
    return good;
}

/* ---- commands */

static const struct command *find_command(char **words, int count)
{
    for (size_t i = 0; i < command_count; i++) {
        const struct command *command = &commands[i];

        if (count >= 1 && strcmp(words[0], command->noun) == 0 &&
            (command->verb == NULL || (count >= 2 && strcmp(words[1], command->verb) == 0))) {
            return command;
        }
    }
    return NULL;
}

/* Words of the argument pattern; those in brackets may be left out. */
static bool fits(const struct command *command, int count)
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

static int run(const struct options *options, char **words, int count)
{
    const struct command *command = find_command(words, count);
    int skipped;

    if (command == NULL) {
        return usage(stderr, count > 0 ? words[0] : NULL, EXIT_USAGE);
    }
    skipped = command->verb == NULL ? 1 : 2;
    if (!fits(command, count - skipped) || (options->given & ~command->options) != 0) {
        (void)fprintf(stderr, "usage: musterctl %s %s %s\n", command->noun,
                      command->verb == NULL ? "" : command->verb, command->arguments);
        return EXIT_USAGE;
    }
    return command->run(options, words + skipped, count - skipped);
}

int main(int argc, char **argv)
{
    struct options options = {.timeout_s = TIMEOUT_S_DEFAULT};
    bool help = false;
    bool version = false;

    if (!read_options(argc, argv, &options, &help, &version)) {
        return EXIT_USAGE;
    }
    if (version) {
        (void)printf("musterctl " MUSTER_VERSION "\n");
        return EXIT_OK;
    }
    if (help) {
        return usage(stdout, optind < argc ? argv[optind] : NULL, EXIT_OK);
    }
    return run(&options, argv + optind, argc - optind);
}
