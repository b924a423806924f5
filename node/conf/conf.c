#include "node/conf/conf.h"

#include "node/base/assert.h"
#include "node/base/log.h"
#include "node/base/mem.h"
#include "node/base/paths.h"
#include "node/conf/check.h"
#include "node/conf/place.h"
#include "node/conf/schema.h"
#include "node/conf/strict.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define C2S_PORT_DEFAULT     5222
#define LINE_BYTES_MAX       300
#define CONF_MESSAGE_UNKNOWN "Unexpected key: "

/* What libcyaml said: its first line is the fault, the innermost place follows in the backtrace. */
struct report {
    char first[LINE_BYTES_MAX];
    struct place place;
};

static cyaml_config_t reader_config(struct report *report);

static void on_report(cyaml_log_t level, void *ctx, const char *format, va_list arguments)
{
    struct report *report = ctx;
    char line[LINE_BYTES_MAX];
    const char *at;

    (void)level;
    (void)vsnprintf(line, sizeof(line), format, arguments);
    line[strcspn(line, "\n")] = '\0';
    if (report->first[0] == '\0') {
        const char *text = strncmp(line, "Load: ", 6) == 0 ? line + 6 : line;

        (void)snprintf(report->first, sizeof(report->first), "%s", text);
        return;
    }
    at = strstr(line, "(line: ");
    if (at != NULL && report->place.line == 0) {
        (void)sscanf(at, "(line: %zu, column: %zu)", &report->place.line, &report->place.column);
    }
}

static cyaml_config_t reader_config(struct report *report)
{
    return (cyaml_config_t){.log_fn = on_report,
                            .log_ctx = report,
                            .mem_fn = cyaml_mem,
                            .log_level = CYAML_LOG_ERROR,
                            .flags = CYAML_CFG_DEFAULT};
}

static void describe_load(const char *file, cyaml_err_t rc, struct report *report, char *fault)
{
    const size_t prefix = sizeof(CONF_MESSAGE_UNKNOWN) - 1;

    if (strncmp(report->first, CONF_MESSAGE_UNKNOWN, prefix) == 0) {
        /* libcyaml names the place before the key */
        (void)place_of_key(file, report->first + prefix, report->place.line, &report->place);
    }
    (void)snprintf(fault, CONF_FAULT_BYTES_MAX, "%s:%zu:%zu: %s", file, report->place.line,
                   report->place.column,
                   report->first[0] != '\0' ? report->first : cyaml_strerror(rc));
}

/* ---- numbers */

struct number {
    const char *path;
    size_t offset;
    uint32_t min, max, value;
    enum conf_moment moment;
};

#define TIMER(name, least, most, standard, moment)                                                 \
    {"timers." #name, offsetof(struct conf, timers.name), least, most, standard, CONF_##moment},
#define LIMIT(name, least, most, standard, moment)                                                 \
    {"limits." #name, offsetof(struct conf, limits.name), least, most, standard, CONF_##moment},
static const struct number numbers[] = {CONF_TIMERS_MAP(TIMER) CONF_LIMITS_MAP(LIMIT)};

static uint32_t *number_of(const struct conf *conf, const struct number *number)
{
    return (uint32_t *)(void *)((char *)conf + number->offset);
}

static int check_numbers(struct conf *conf, const char *file, char *fault)
{
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) {
        const struct number *number = &numbers[i];
        uint32_t *value = number_of(conf, number);
        struct place place;
        char text[LINE_BYTES_MAX];

        if (*value == 0 && !place_of_path(file, number->path, &place)) {
            *value = number->value;
        }
        if (*value < number->min || *value > number->max) {
            (void)snprintf(text, sizeof(text), "%u is not between %u and %u", *value, number->min,
                           number->max);
            return check_tell(file, number->path, text, fault);
        }
    }
    return 0;
}

/* ---- texts */

static void set_default(char **text, const char *value)
{
    if (*text == NULL) {
        *text = mem_strdup(value);
    }
}

static void fill_defaults(struct conf *conf, const char *file)
{
    struct place place;
    char name[32];

    (void)snprintf(name, sizeof(name), "node-%u", conf->node.id);
    set_default(&conf->node.name, name);
    if (conf->node.witness == CONF_UNSET) {
        conf->node.witness = CONF_NO;
    }
    set_default(&conf->cluster.name, "muster");
    set_default(&conf->c2s.bind, "0.0.0.0");
    set_default(&conf->control.socket, CONTROL_PATH_DEFAULT);
    if (conf->c2s.port == 0 && !place_of_path(file, "c2s.port", &place)) {
        conf->c2s.port = C2S_PORT_DEFAULT;
    }
    if (conf->c2s.tls_unique_on_tls13 == CONF_UNSET) {
        conf->c2s.tls_unique_on_tls13 = CONF_YES;
    }
    if (conf->about.version == CONF_UNSET) {
        conf->about.version = CONF_YES;
    }
    if (!place_of_path(file, "log.level", &place)) {
        conf->log.level = LOG_INFO;
    }
}

/* ---- */

/* Whoever reads the file later does not say why it could not. */
static int check_readable(const char *file, char *fault)
{
    FILE *stream = fopen(file, "re");
    bool is_readable = stream != NULL && (getc(stream) != EOF || ferror(stream) == 0);

    if (!is_readable) {
        (void)snprintf(fault, CONF_FAULT_BYTES_MAX, "%s: cannot be read: %s", file,
                       strerror(errno));
    }
    if (stream != NULL) {
        (void)fclose(stream);
    }
    return is_readable ? 0 : ERR_CONFIG;
}

int conf_load(const char *file, struct conf **out, char fault[CONF_FAULT_BYTES_MAX])
{
    struct report report = {0};
    cyaml_config_t config = reader_config(&report);
    struct conf *conf = NULL;
    cyaml_err_t loaded;
    int rc = check_readable(file, fault);

    if (rc == 0) {
        rc = strict_check(file, fault);
    }
    if (rc != 0) {
        return rc;
    }
    loaded = cyaml_load_file(file, &config, &conf_schema, (cyaml_data_t **)&conf, NULL);
    if (loaded != CYAML_OK) {
        describe_load(file, loaded, &report, fault);
        return ERR_CONFIG;
    }
    if (conf == NULL) {
        (void)snprintf(fault, CONF_FAULT_BYTES_MAX, "%s: is empty", file);
        return ERR_CONFIG;
    }
    fill_defaults(conf, file);
    rc = check_numbers(conf, file, fault);
    if (rc == 0) {
        rc = check_all(conf, file, fault);
    }
    if (rc != 0) {
        conf_free(&conf);
        return rc;
    }
    *out = conf;
    return 0;
}

void conf_free(struct conf **conf)
{
    struct report report = {0};
    cyaml_config_t config = reader_config(&report);

    (void)cyaml_free(&config, &conf_schema, *conf, 0);
    *conf = NULL;
}

/* ---- what a reload cannot change */

static bool same_members(const struct conf_cluster *old, const struct conf_cluster *fresh)
{
    bool same = old->members_count == fresh->members_count;

    for (uint32_t i = 0; same && i < old->members_count; i++) {
        same = old->members[i].node == fresh->members[i].node &&
               strcmp(old->members[i].address, fresh->members[i].address) == 0;
    }
    return same;
}

static const char *changed_number(const struct conf *old, const struct conf *fresh)
{
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) {
        if (numbers[i].moment == CONF_RESTART &&
            *number_of(old, &numbers[i]) != *number_of(fresh, &numbers[i])) {
            return numbers[i].path;
        }
    }
    return NULL;
}

const char *conf_needs_restart(const struct conf *old, const struct conf *fresh)
{
    const struct {
        const char *key;
        bool same;
    } fixed[] = {
        {"node.id", old->node.id == fresh->node.id},
        {"node.name", strcmp(old->node.name, fresh->node.name) == 0},
        {"node.data", strcmp(old->node.data, fresh->node.data) == 0},
        {"node.witness", old->node.witness == fresh->node.witness},
        {"cluster.name", strcmp(old->cluster.name, fresh->cluster.name) == 0},
        {"cluster.domain", strcmp(old->cluster.domain, fresh->cluster.domain) == 0},
        {"cluster.bind", strcmp(old->cluster.bind, fresh->cluster.bind) == 0},
        {"cluster.address", strcmp(old->cluster.address, fresh->cluster.address) == 0},
        {"cluster.members", same_members(&old->cluster, &fresh->cluster)},
        {"c2s.bind", strcmp(old->c2s.bind, fresh->c2s.bind) == 0},
        {"c2s.address", strcmp(old->c2s.address, fresh->c2s.address) == 0},
        {"c2s.port", old->c2s.port == fresh->c2s.port},
        {"c2s.tls_port", old->c2s.tls_port == fresh->c2s.tls_port},
        {"control.socket", strcmp(old->control.socket, fresh->control.socket) == 0},
    };

    for (size_t i = 0; i < ARRAY_COUNT(fixed); i++) {
        if (!fixed[i].same) {
            return fixed[i].key;
        }
    }
    return changed_number(old, fresh);
}
