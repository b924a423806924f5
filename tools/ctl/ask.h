/* ask - one request to the node or nodes that the options name, and its answer. */
#ifndef TOOLS_CTL_ASK_H
#define TOOLS_CTL_ASK_H

#include "tools/ctl/ctl.h"
#include "tools/ctl/link.h"

#define NODES_MAX 64

struct target {
    long node; /* 0: unknown, a bare control path */
    char path[512];
};

struct targets {
    struct target items[NODES_MAX];
    size_t count;
};

/** The nodes that the options name: one by --control or --node, all of --cluster otherwise. 0 or an
 * exit code (said on stderr). */
int targets_find(const struct options *options, struct targets *out);

enum ask_kind {
    ASK_READ,  /* changes nothing: safe to ask again elsewhere */
    ASK_CHANGE /* once sent, a lost answer means an unknown outcome */
};

/** Ask the first target that can serve it; takes args. 0 and *result_out (owned by the caller), or
 * an exit code (said on stderr). */
int ask(const struct options *options, enum ask_kind kind, const char *verb, json_t *args,
        json_t **result_out);
/** Ask one target. *fault_out: what to say when it is not 0 (owned by the caller). */
int ask_one(const struct options *options, const struct target *target, enum ask_kind kind,
            const char *verb, json_t *args, json_t **result_out, char **fault_out);
/** Ask all targets the same that changes nothing, one after the other. One row each: its answer, or
 * {node, error} and its code (as of ask_one()) in codes. args is borrowed; the caller owns the
 * rows. */
json_t *ask_each(const struct options *options, const struct targets *targets, const char *verb,
                 json_t *args, int codes[NODES_MAX]);
/** Say on stderr why ask_one() gave code. */
void ask_say(const struct target *target, int code, const char *fault);
/** ask() for a change without a result worth showing. */
int ask_change(const struct options *options, const char *verb, json_t *args);

/** ask() for something to read; the answer goes to print(), or out as it came with --json. */
int ask_show(const struct options *options, const char *verb, json_t *args,
             void (*print)(const json_t *result));

/** Open a connection to the first target that serves, for many requests. 0 and *link_out, or an
 * exit code (said on stderr). */
int ask_open_serving(const struct options *options, struct link **link_out);
/** The exit code of an answer that is not ok. */
int ask_code_of(const json_t *answer);

#endif
