/* Verbs about backups: what is known of the state that is copied, then the copy itself. */
#include "node/admin/backup.h"
#include "node/admin/verbs.h"

static bool list_domain(void *ctx, const char *name)
{
    (void)json_array_append_new(ctx, json_string(name));
    return true;
}

static void read_manifest(struct request *request, struct core *core)
{
    uint32_t written = state_cluster(core_state(core), core_arena(core))->log_version;
    json_t *domains = json_array();

    state_each_domain(core_state(core), core_arena(core), list_domain, domains);
    request->result = json_pack("{s:s,s:o,s:i,s:I,s:s,s:I}", "cluster", request->admin->cluster,
                                "domains", domains, "schema", (int)state_schema_of(written), "node",
                                (json_int_t)request->admin->node_id, "version", MUSTER_VERSION,
                                "applied", (json_int_t)state_applied_index(core_state(core)));
}

static void begin(struct request *request)
{
    json_int_t applied = json_integer_value(json_object_get(request->result, "applied"));

    if (control_is_closing(request->control)) { /* nobody would end it */
        request_conclude(request);
        return;
    }
    if (backup_is_busy(request)) { /* begun by another connection meanwhile */
        return;
    }
    request->rc = backup_begin(request, (uint64_t)applied);
    request_conclude(request);
}

static void read_then_begin(struct request *request)
{
    request_read_then(request, read_manifest, begin);
}

/* A command that changes nothing: when it was applied here, so was all that anybody in the cluster
 * was told to be done before. */
void verb_backup_begin(struct request *request)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__Notes notes = PB__NOTES__INIT;

    if (backup_is_busy(request)) {
        return;
    }
    command.body_case = PB__COMMAND__BODY_NOTES;
    command.notes = &notes;
    request->applied = read_then_begin;
    request_submit(request, &command);
}

void verb_backup_read(struct request *request)
{
    backup_read(request);
}
