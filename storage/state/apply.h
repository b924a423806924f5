/* apply - what the handlers of commands share: the entry being applied and its effects. Each
 * handler has one file's idea; apply.c decides which command runs at all. State thread only. */
#ifndef STORAGE_STATE_APPLY_H
#define STORAGE_STATE_APPLY_H

#include "storage/state/rows.h"

struct doomed {
    struct doomed *next;
    uint64_t session;
};

struct apply {
    struct state *state;
    struct effects *out;
    struct arena *arena; /* of this command; what goes into effects is copied to out->arena */
    struct entry_stamp stamp;
    uint64_t now_ms; /* cluster time of the entry */
    uint64_t index;
    uint64_t origin; /* incarnation that sent the command, 0: a leader's decision */
    uint32_t drawn;  /* random numbers taken from the seed so far */
    struct outcome outcome;
    uint64_t replaced;       /* session to end after the outcome, 0: none; */
    uint64_t replaced_by;    /* the one that bound its address */
    struct doomed *doomed;   /* sessions to end after the command: their lists overflowed */
    uint64_t refused_origin; /* EFFECT_REFUSED_SEQ was pushed for it in this entry */
};

/** The next position of the cluster's order. */
uint64_t apply_position(struct apply *a);
/** len random bytes as lower-case hex, of the leader's seed: the same on every node. */
const char *apply_random_hex(struct apply *a, size_t len);
/** Format into the command's arena. */
const char *apply_printf(struct apply *a, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Handlers: 0 or why the command is refused; a refused one has changed nothing. */
int node_start(struct apply *a, const Pb__Start *command);
int node_down(struct apply *a, const Pb__NodeDown *command);
int node_set(struct apply *a, const Pb__NodeSet *command);
int node_votes(struct apply *a, const Pb__NodeVotes *command);
int domain_set(struct apply *a, const Pb__DomainSet *command);
int domain_remove(struct apply *a, const Pb__DomainRemove *command);
int user_set(struct apply *a, const Pb__UserSet *command);
int user_load(struct apply *a, const Pb__UserLoad *command);
int user_remove(struct apply *a, const Pb__UserRemove *command);
int user_import(struct apply *a, const Pb__UserImport *command);
int session_bind(struct apply *a, const Pb__Bind *command);
int session_enable(struct apply *a, const Pb__Enable *command);
int session_resume(struct apply *a, const Pb__Resume *command);
int session_confirm(struct apply *a, const Pb__Confirm *command);
int session_detach(struct apply *a, const Pb__Detach *command);
int session_close(struct apply *a, const Pb__Close *command);
int session_kill(struct apply *a, const Pb__Kill *command);
int expire(struct apply *a, const Pb__Expire *command);
int notes(struct apply *a, const Pb__Notes *command);
int answer(struct apply *a, const Pb__Answer *command);
int pending_ask(struct apply *a, const Pb__Ask *command);
int message_send(struct apply *a, const Pb__SendMessage *command);
int presence_send(struct apply *a, const Pb__SendPresence *command);
int iq_send(struct apply *a, const Pb__SendIq *command);
int roster_set(struct apply *a, const Pb__RosterSet *command);
int keep(struct apply *a, const Pb__Keep *command);
int copies_set(struct apply *a, const Pb__CopiesSet *command);
int secrets_rotate(struct apply *a, const Pb__Rotate *command);
int bounce(struct apply *a, const Pb__Bounce *command);
int group_set(struct apply *a, const Pb__GroupSet *command);
int group_remove(struct apply *a, const Pb__GroupRemove *command);
int group_node(struct apply *a, const Pb__GroupNode *command);
int node_move(struct apply *a, const Pb__NodeMove *command);
int node_stop(struct apply *a);
int node_health(struct apply *a, const Pb__NodeHealth *command);
int move_report(struct apply *a, const Pb__MoveReport *command);
int move_abort(struct apply *a, const Pb__MoveAbort *command);
int assignment_set(struct apply *a, const Pb__AssignmentSet *command);
int rebalance(struct apply *a, const Pb__Rebalance *command);
int home_set(struct apply *a, const Pb__HomeSet *command);
int alarm_set(struct apply *a, const Pb__AlarmSet *command);
int cluster_set(struct apply *a, const Pb__ClusterSet *command);

#endif
