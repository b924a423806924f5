/* admin_private - what the files of node/admin share. The control thread, unless said otherwise. */
#ifndef NODE_ADMIN_ADMIN_PRIVATE_H
#define NODE_ADMIN_ADMIN_PRIVATE_H

#include "node/admin/admin.h"
#include "node/admin/deriver.h"
#include "node/base/waker.h"
#include "node/core/backlog.h"

#include <pthread.h>
#include <uv.h>

struct backup;
struct control;
struct request;

struct admin {
    struct core *core;
    uint32_t node_id;
    bool is_witness;
    char *cluster;
    char *domain;
    uint32_t scram_iterations;
    int (*reload)(void *ctx, struct reload_call *call);
    void *reload_ctx;
    char *socket_path;

    pthread_t thread;
    uv_loop_t loop;
    struct waker wake;
    uv_timer_t retry; /* runs while the backlog is not empty */
    uv_pipe_t listener;
    struct mailbox inbox;
    bool is_stopping;
    atomic_bool is_over; /* the same, for the helpers */

    struct helpers *helpers; /* derive passwords */
    struct backlog backlog;
    uint64_t next_cookie;
    uint32_t membership_last; /* given out here, perhaps not in the log's status yet */
    struct request *waiting;  /* requests whose command is in the log */
    struct control *controls;
    struct backup *backup; /* under way, NULL: none */
};

#endif
