#include "tools/ctl/help.h"

#include <string.h>

const struct command *help_find(char **words, int count)
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

static bool is_noun(const char *word)
{
    for (size_t i = 0; i < command_count; i++) {
        if (strcmp(word, commands[i].noun) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- what there is */

bool help_takes(const struct command *command, const struct option_help *help)
{
    if (help->flag != 0) {
        return (help->flag & command->options) != 0;
    }
    for (size_t i = 0; i < option_help_count; i++) {
        if ((option_helps[i].flag & command->options) != 0 &&
            strcmp(option_helps[i].name, help->name) == 0) {
            return false; /* it means something else there */
        }
    }
    return true;
}

static bool is_asked_about(const struct command *command, char **words, int count)
{
    const struct command *one = help_find(words, count);

    return one == NULL ? count == 0 || strcmp(words[0], command->noun) == 0 : one == command;
}

static bool is_taken(const struct option_help *help, char **words, int count)
{
    for (size_t i = 0; i < command_count; i++) {
        if (is_asked_about(&commands[i], words, count) && help_takes(&commands[i], help)) {
            return true;
        }
    }
    return false;
}

static void print_options(char **words, int count)
{
    for (size_t i = 0; i < option_help_count; i++) {
        const struct option_help *help = &option_helps[i];
        char left[40];

        if (is_taken(help, words, count)) {
            (void)snprintf(left, sizeof(left), "--%s%s%s", help->name,
                           help->value == NULL ? "" : " ", help->value == NULL ? "" : help->value);
            (void)printf("  %-22s %s\n", left, help->text);
        }
    }
}

/* Those that any command takes are left out. */
static void print_use(FILE *out, const struct command *command)
{
    (void)fprintf(out, "usage: musterctl %s%s%s%s%s", command->noun,
                  command->verb == NULL ? "" : " ", command->verb == NULL ? "" : command->verb,
                  command->arguments[0] == '\0' ? "" : " ", command->arguments);
    for (size_t i = 0; i < option_help_count; i++) {
        const struct option_help *help = &option_helps[i];
        const bool needed =
            help->flag == OPTION_OUT ||
            (help->flag == OPTION_DOMAIN && (command->options & OPTION_NEEDS_DOMAIN) != 0);

        if (help->flag != 0 && help_takes(command, help)) {
            (void)fprintf(out, " %s--%s%s%s%s", needed ? "" : "[", help->name,
                          help->value == NULL ? "" : " ", help->value == NULL ? "" : help->value,
                          needed ? "" : "]");
        }
    }
    (void)fprintf(out, "\n");
}

static void print_command(const struct command *command)
{
    char left[60];

    (void)snprintf(left, sizeof(left), "%s%s%s %s", command->noun, command->verb == NULL ? "" : " ",
                   command->verb == NULL ? "" : command->verb, command->arguments);
    (void)printf("  %-31s %s\n", left, command->summary);
}

static void print_matching(char **words, int count)
{
    const struct command *one = help_find(words, count);

    if (one != NULL) {
        print_use(stdout, one);
    } else {
        (void)printf("usage: musterctl [OPTIONS] NOUN VERB [ARGUMENTS]\n");
    }
    (void)printf("\n");
    for (size_t i = 0; i < command_count; i++) {
        if (is_asked_about(&commands[i], words, count)) {
            print_command(&commands[i]);
        }
    }
    (void)printf("\n");
    print_options(words, count);
    (void)printf("\nexit: 0 done, 1 refused, 2 usage, 3 no node reached, 4 outcome unknown,\n"
                 "      5 done, but the answer could not be written\n");
}

int help_print(char **words, int count)
{
    if (count > 0 && help_find(words, count) == NULL && (count > 1 || !is_noun(words[0]))) {
        help_complain(words, count);
        return EXIT_USAGE;
    }
    print_matching(words, count);
    return EXIT_OK;
}

void help_print_use(FILE *out, const struct command *command)
{
    print_use(out, command);
    (void)fprintf(out, "musterctl --help %s%s%s tells more\n", command->noun,
                  command->verb == NULL ? "" : " ", command->verb == NULL ? "" : command->verb);
}

/* ---- what there is not */

/* The nouns, or the verbs of one. */
static void list_words(FILE *out, const char *noun)
{
    const char *last = "";

    for (size_t i = 0; i < command_count; i++) {
        const char *word = noun == NULL ? commands[i].noun : commands[i].verb;

        if ((noun == NULL || strcmp(noun, commands[i].noun) == 0) && strcmp(word, last) != 0) {
            (void)fprintf(out, " %s", word);
            last = word; /* the table is sorted */
        }
    }
    (void)fprintf(out, "\n");
}

void help_complain(char **words, int count)
{
    const char *noun = NULL;

    if (count == 0) {
        (void)fprintf(stderr, "musterctl: no command given; nouns:");
    } else if (!is_noun(words[0])) {
        (void)fprintf(stderr, "musterctl: there is no noun \"%s\"; nouns:", words[0]);
    } else {
        noun = words[0];
        if (count == 1) {
            (void)fprintf(stderr, "musterctl: %s: no verb given; verbs:", noun);
        } else {
            (void)fprintf(stderr, "musterctl: %s: there is no verb \"%s\"; verbs:", noun, words[1]);
        }
    }
    list_words(stderr, noun);
    (void)fprintf(stderr, "musterctl --help%s%s tells more\n", noun == NULL ? "" : " ",
                  noun == NULL ? "" : noun);
}
