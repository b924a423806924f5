#include "xmpp/stream/cursor.h"

/* 0 is what comes by itself. */
static void number_next(struct cursor *cursor)
{
    cursor->pull = cursor->pull == UINT32_MAX ? 1 : cursor->pull + 1;
}

/* The part under way was asked for before this: what still comes of it is void, and a new one is
 * asked for when its end has come. */
static void begin_anew(struct cursor *cursor)
{
    cursor->is_behind = true;
    number_next(cursor);
}

void cursor_start(struct cursor *cursor, uint64_t presence_since)
{
    cursor->pending_from = 0;
    cursor->presence_since = presence_since;
    begin_anew(cursor);
}

void cursor_fall_behind(struct cursor *cursor)
{
    begin_anew(cursor);
}

void cursor_show_all(struct cursor *cursor)
{
    cursor->presence_since = 0;
    begin_anew(cursor);
}

bool cursor_wants(const struct cursor *cursor, const struct delivery *stanza)
{
    return cursor->is_behind ? stanza->pull == cursor->pull : stanza->pull == 0;
}

/* All come in one order, so behind an entry of the list presence is done up to there, too: also
 * what was not seen when it changed, but is by now. The entry that let it be seen showed it. */
void cursor_take(struct cursor *cursor, const struct delivery *stanza)
{
    if (stanza->kind == DELIVERY_PENDING) {
        cursor->pending_from = stanza->position + 1;
    }
    cursor->presence_since = stanza->position;
}

bool cursor_pull(struct cursor *cursor, struct delivery_pull *pull_out)
{
    if (!cursor->is_behind || cursor->is_pulling) {
        return false;
    }
    cursor->is_pulling = true;
    number_next(cursor);
    pull_out->number = cursor->pull;
    pull_out->pending_from = cursor->pending_from;
    pull_out->presence_since = cursor->presence_since;
    return true;
}

void cursor_on_pulled(struct cursor *cursor, const struct delivery *end)
{
    cursor->is_pulling = false;
    if (end->pull == cursor->pull && end->is_complete) {
        cursor->is_behind = false;
    }
}
