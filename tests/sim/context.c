#undef _FORTIFY_SOURCE /* its longjmp() refuses to go to another stack */
#include "tests/sim/context.h"

#include <stdint.h>
#include <stdlib.h>

/* makecontext() passes on ints: an address is two of them. */
static void begin(unsigned run_low, unsigned run_high, unsigned ctx_low, unsigned ctx_high)
{
    void (*run)(void *ctx) = (void (*)(void *))((uintptr_t)run_low | (uintptr_t)run_high << 32);

    run((void *)((uintptr_t)ctx_low | (uintptr_t)ctx_high << 32));
    abort();
}

void context_make(struct context *context, void *stack, size_t stack_bytes, void (*run)(void *ctx),
                  void *ctx)
{
    const uintptr_t entry = (uintptr_t)run;
    const uintptr_t argument = (uintptr_t)ctx;

    (void)getcontext(&context->first);
    context->first.uc_stack.ss_sp = stack;
    context->first.uc_stack.ss_size = stack_bytes;
    makecontext(&context->first, (void (*)(void))(void *)begin, 4, (unsigned)entry,
                (unsigned)(entry >> 32), (unsigned)argument, (unsigned)(argument >> 32));
    context->is_new = true;
}

void context_switch(struct context *from, struct context *to)
{
    if (_setjmp(from->place) != 0) {
        return;
    }
    if (to->is_new) {
        to->is_new = false;
        (void)setcontext(&to->first);
    }
    _longjmp(to->place, 1);
}
