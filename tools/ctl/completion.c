/* musterctl completion: scripts made from the table, so that they cannot fall behind it. */
#include "tools/ctl/help.h"

#include <stdio.h>
#include <string.h>

static void print_nouns(void)
{
    const char *last = "";

    for (size_t i = 0; i < command_count; i++) {
        if (strcmp(last, commands[i].noun) != 0) {
            (void)printf("%s ", commands[i].noun);
        }
        last = commands[i].noun; /* the table is sorted */
    }
}

static void print_verbs(const char *noun)
{
    for (size_t i = 0; i < command_count; i++) {
        if (strcmp(noun, commands[i].noun) == 0 && commands[i].verb != NULL) {
            (void)printf("%s ", commands[i].verb);
        }
    }
}

/* Options that the next word belongs to. */
static void print_value_options(void)
{
    const char *separator = "";

    for (size_t i = 0; i < option_help_count; i++) {
        if (option_helps[i].value != NULL) {
            (void)printf("%s--%s", separator, option_helps[i].name);
            separator = " | ";
        }
    }
}

/* Those of a command; of none (NULL), as before the noun: all. */
static void print_options(const struct command *command)
{
    for (size_t i = 0; i < option_help_count; i++) {
        if (command == NULL || help_takes(command, &option_helps[i])) {
            (void)printf("--%s ", option_helps[i].name);
        }
    }
}

static void print_option_cases(void)
{
    (void)printf("        case $noun/$verb in\n");
    for (size_t i = 0; i < command_count; i++) {
        const struct command *command = &commands[i];

        (void)printf("        %s/%s) COMPREPLY=($(compgen -W '", command->noun,
                     command->verb == NULL ? "*" : command->verb);
        print_options(command);
        (void)printf("' -- \"$word\")) ;;\n");
    }
    (void)printf("        *) COMPREPLY=($(compgen -W '");
    print_options(NULL);
    (void)printf("' -- \"$word\")) ;;\n"
                 "        esac\n");
}

static void print_verb_cases(void)
{
    const char *last = "";

    (void)printf("        case $noun in\n");
    for (size_t i = 0; i < command_count; i++) {
        if (strcmp(last, commands[i].noun) != 0 && commands[i].verb != NULL) {
            (void)printf("        %s) COMPREPLY=($(compgen -W '", commands[i].noun);
            print_verbs(commands[i].noun);
            (void)printf("' -- \"$word\")) ;;\n");
        }
        last = commands[i].noun;
    }
    (void)printf("        esac\n");
}

/* "utils" may stand before the noun ha (arguments.c). */
static void print_bash(void)
{
    (void)printf("# bash completion of musterctl, made by: musterctl completion bash\n"
                 "_musterctl() {\n"
                 "    local word=${COMP_WORDS[COMP_CWORD]} noun= verb= utils= i\n"
                 "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                 "        case ${COMP_WORDS[i]} in\n"
                 "        ");
    print_value_options();
    (void)printf(") ((i++)) ;;\n"
                 "        -*) ;;\n"
                 "        *) if [[ -n $noun ]]; then verb=${verb:-${COMP_WORDS[i]}}\n"
                 "           elif [[ ${COMP_WORDS[i]} == utils ]]; then utils=yes\n"
                 "           else noun=${COMP_WORDS[i]}; fi ;;\n"
                 "        esac\n"
                 "    done\n"
                 "    if [[ $word == -* ]]; then\n");
    print_option_cases();
    (void)printf("    elif [[ -z $noun && -n $utils ]]; then\n"
                 "        COMPREPLY=($(compgen -W 'ha' -- \"$word\"))\n"
                 "    elif [[ -z $noun ]]; then\n"
                 "        COMPREPLY=($(compgen -W '");
    print_nouns();
    (void)printf("utils' -- \"$word\"))\n"
                 "    elif [[ -z $verb ]]; then\n");
    print_verb_cases();
    (void)printf("    fi\n"
                 "}\n"
                 "complete -o default -F _musterctl musterctl\n");
}

int run_completion(const struct options *options, char **arguments, int count)
{
    (void)options;
    (void)count;
    if (strcmp(arguments[0], "bash") != 0) {
        (void)fprintf(stderr, "musterctl: no completion for %s\n", arguments[0]);
        return EXIT_USAGE;
    }
    print_bash();
    return EXIT_OK;
}
