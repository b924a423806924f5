#include "raft/log/origin.h"

#include "node/base/mem.h"

struct own_command *own_command_new(struct slice bytes)
{
    struct own_command *command = mem_alloc(sizeof(*command) + bytes.len);

    *command = (struct own_command){.len = bytes.len};
    if (bytes.len > 0) {
        memcpy(command->bytes, bytes.data, bytes.len);
    }
    return command;
}

static void drop_first(struct origin *origin)
{
    struct own_command *gone = origin->first;

    if (origin->unsent == gone) {
        origin->unsent = gone->next;
    }
    origin->first = gone->next;
    if (origin->first == NULL) {
        origin->last = NULL;
    }
    origin->count--;
    origin->bytes -= gone->len;
    mem_free(&gone);
}

static void forget_commands(struct origin *origin)
{
    while (origin->first != NULL) {
        drop_first(origin);
    }
}

void origin_deinit(struct origin *origin)
{
    forget_commands(origin);
    mem_free(&origin->start);
}

void origin_set_start_take(struct origin *origin, struct own_command *start)
{
    mem_free(&origin->start);
    origin->start = start;
    origin->start_sent = false;
}

void origin_begin(struct origin *origin, uint64_t incarnation)
{
    forget_commands(origin);
    mem_free(&origin->start);
    origin->incarnation = incarnation;
    origin->last_seq = 0;
}

void origin_add_take(struct origin *origin, struct own_command *command)
{
    ASSERT(origin->incarnation != 0);
    command->next = NULL;
    command->seq = ++origin->last_seq;
    if (origin->first == NULL) {
        origin->first = command;
    } else {
        origin->last->next = command;
    }
    origin->last = command;
    if (origin->unsent == NULL) {
        origin->unsent = command;
    }
    origin->count++;
    origin->bytes += command->len;
}

void origin_replace(struct origin *origin, struct slice bytes, struct slice substitute)
{
    struct own_command **place = &origin->first;
    struct own_command *gone, *command;

    while (*place != NULL && !slice_eq(own_command_slice(*place), bytes)) {
        place = &(*place)->next;
    }
    gone = *place;
    if (gone == NULL) {
        return;
    }
    command = own_command_new(substitute);
    command->seq = gone->seq;
    command->next = gone->next;
    *place = command;
    if (origin->last == gone) {
        origin->last = command;
    }
    if (origin->unsent == gone) {
        origin->unsent = command;
    }
    origin->bytes = origin->bytes - gone->len + command->len;
    mem_free(&gone);
}

void origin_applied(struct origin *origin, uint64_t seq)
{
    while (origin->first != NULL && origin->first->seq <= seq) {
        drop_first(origin);
    }
}

void origin_rewind(struct origin *origin)
{
    origin->unsent = origin->first;
    origin->start_sent = false;
}

void origin_rewind_to(struct origin *origin, uint64_t seq)
{
    struct own_command *command = origin->first;

    while (command != NULL && command->seq < seq) {
        command = command->next;
    }
    origin->unsent = command;
}

const struct own_command *origin_next(const struct origin *origin)
{
    if (origin->start != NULL && !origin->start_sent) {
        return origin->start;
    }
    return origin->unsent;
}

uint64_t origin_next_incarnation(const struct origin *origin)
{
    return origin->start != NULL && !origin->start_sent ? 0 : origin->incarnation;
}

void origin_sent(struct origin *origin)
{
    if (origin->start != NULL && !origin->start_sent) {
        origin->start_sent = true;
    } else {
        ASSERT(origin->unsent != NULL);
        origin->unsent = origin->unsent->next;
    }
}
