/* context - where a thread of the machine is while another one has its turn. ucontext's own switch
 * asks the kernel for the signal mask twice a turn, which cost more than most turns do: so it is
 * used for the first step onto a stack alone. */
#ifndef TESTS_SIM_CONTEXT_H
#define TESTS_SIM_CONTEXT_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <ucontext.h>

struct context {
    jmp_buf place;
    ucontext_t first;
    bool is_new; /* not yet on its stack */
};

/** It will begin with run(ctx), which must not return. */
void context_make(struct context *context, void *stack, size_t stack_bytes, void (*run)(void *ctx),
                  void *ctx);
/** Leave the one that runs, which goes on here when it is switched to. */
void context_switch(struct context *from, struct context *to);

#endif
