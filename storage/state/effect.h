/* effect - what applying a command means to the outside, as data. Every node computes the same
 * effects; each acts only on those that name a connection of its own incarnation. Pointers live in
 * the arena of the effect list. Pure. */
#ifndef STORAGE_STATE_EFFECT_H
#define STORAGE_STATE_EFFECT_H

#include "node/base/arena.h"

#define REF_WORKER_ADMIN 0xffffffffu /* Ref.worker of commands from the control socket */
#define REF_WORKER_NODE  0xfffffffeu /* Ref.worker of commands of the node itself (Start) */

/* A connection: see Owner in schema.proto. */
struct owner {
    uint64_t incarnation;
    uint32_t worker;
    uint32_t slot;
    uint32_t generation;
};

enum outcome_kind {
    OUTCOME_DONE,         /* rc says whether */
    OUTCOME_STARTED,      /* incarnation */
    OUTCOME_BOUND,        /* session, epoch, address */
    OUTCOME_ELSEWHERE,    /* nothing was bound: the client is to go to location */
    OUTCOME_ENABLED,      /* resume_id, window_s, location */
    OUTCOME_RESUMED,      /* session, epoch, address, count, window_s */
    OUTCOME_RESUME_FAILED /* rc; count and count_known for <failed h/> */
};

/* The result of one command, for the connection that sent it. Every command whose Ref.cookie is not
 * 0 yields exactly one, refused or not (a stale epoch is rc ERR_CONFLICT). */
struct outcome {
    enum outcome_kind kind;
    int rc; /* 0 or enum err */
    uint64_t incarnation;
    uint64_t session;
    uint32_t epoch;
    const char *address; /* full address of the session */
    struct slice resume_id;
    uint32_t window_s;
    const char *location; /* "" or "host:port" of another node that is up */
    uint32_t count;
    bool count_known;
    /* UserImport, HomeSet: the account for which it was refused, from 1; 0: none. Rebalance: how
     * many users moved. UserLoad: 1 when it made the account; count: what was left out. */
    uint32_t row;
    /* UserLoad: messages that were loaded before, or are older than one that was; and whether one
     * found no room. */
    uint32_t known;
    bool full;
};

enum drop_reason {
    DROP_RESUMED,  /* resumed elsewhere or on a newer connection: close without error or footer */
    DROP_CONFLICT, /* another session bound the same full address: <conflict/> */
    DROP_KILLED,   /* by an operator: <policy-violation/>... the stream decides the words */
    DROP_REMOVED,  /* the account is gone: <not-authorized/> */
    DROP_EXPIRED   /* resumed but never confirmed */
};

enum effect_kind {
    EFFECT_OUTCOME,   /* origin, ref, outcome */
    EFFECT_PENDING,   /* session, epoch, owner, position: its list has a new last entry. Only when
                         the session is attached and its epoch confirmed: what was added before is
                         written out by CONFIRMED, so that order holds within one entry */
    EFFECT_RECORDED,  /* session, epoch, owner, number: numbers up to this one are recorded */
    EFFECT_CONFIRMED, /* session, epoch, owner, position: write out what is pending before position
                         (the next free one when it was applied), and presence changes */
    EFFECT_DROPPED,   /* owner, session, drop: that connection lost the session */
    EFFECT_PRESENCE,  /* session, user, stanza, position; initial: the session wants to know who is
                         there. The sender's roster decides who gets it (directed presence is a
                         pending entry) */
    EFFECT_INCARNATION, /* node, incarnation, up */
    EFFECT_VOTES,       /* node: it has had a vote under another membership */
    EFFECT_HEALTH,      /* node, up: it is well, services_down */
    EFFECT_MOVED,       /* node, away, reason: its users were moved */
    EFFECT_ALARM,       /* node, alarm, up, severity, text: it was raised, or cleared */
    EFFECT_DOMAINS,     /* the list of domains changed */
    EFFECT_VERSION,     /* the written version rose */
    EFFECT_SECRETS,     /* the secrets of the cluster changed */
    EFFECT_REFUSED_SEQ  /* incarnation, seq: send again from here (rlog_resend) */
};

struct effect_ref {
    uint32_t worker, slot, generation;
    uint64_t cookie;
};

struct effect {
    enum effect_kind kind;
    uint64_t origin; /* OUTCOME: incarnation that submitted the command */
    struct effect_ref ref;
    struct outcome outcome;
    uint64_t session;
    uint32_t epoch;
    uint32_t number;
    uint64_t position;
    struct owner owner;
    enum drop_reason drop;
    const char *user; /* bare address */
    bool initial;
    struct Pb__Stanza *stanza;
    uint32_t node;
    uint64_t incarnation;
    uint64_t seq;
    bool up;
    bool away;
    unsigned reason;        /* Pb__MoveReason */
    uint32_t services_down; /* set of enum health_service (ha/health) */
    const char *alarm;
    const char *text;  /* why it was raised */
    unsigned severity; /* Pb__AlarmSeverity */
};

struct effects {
    struct arena *arena; /* borrowed; everything the effects point to lives there */
    struct effect *items;
    size_t count;
    size_t capacity;
};

void effects_init(struct effects *effects, struct arena *arena);
/** A zeroed effect of kind at the end of the list; valid until the next push. */
struct effect *effects_push(struct effects *effects, enum effect_kind kind);
void effects_clear(struct effects *effects);

#endif
