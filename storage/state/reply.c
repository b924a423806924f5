#include "storage/state/reply.h"

#include "storage/state/pending.h"

static Pb__Stanza request_of(struct apply *a, const struct reply *reply)
{
    Pb__Stanza request = PB__STANZA__INIT;

    request.kind = PB__STANZA__KIND__IQ;
    request.type = (char *)"set";
    request.id = (char *)(uintptr_t)reply->id;
    request.lang = (char *)(uintptr_t)reply->lang;
    request.from = address_full(a, reply->session->user, reply->session->resource);
    request.to = reply->session->user;
    request.wall_ms = a->stamp.wall_ms;
    return request;
}

void reply_done(struct apply *a, const struct reply *reply)
{
    Pb__Stanza result = request_of(a, reply);

    result.type = (char *)"result";
    result.to = result.from;
    result.from = reply->session->user;
    pending_add_self(a, reply->from->session, &result);
}

void reply_refused(struct apply *a, const struct reply *reply, enum stanza_error error)
{
    const Pb__Stanza request = request_of(a, reply);

    stanza_refuse(a, reply->from->session, &request, error);
}
