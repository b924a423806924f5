#include "node/conf/schema.h"

#include "node/base/assert.h"
#include "node/base/log.h"

#define TEXT_BYTES_MAX 1023
#define MEMBERS_MAX    16
#define DOMAINS_MAX    1000
#define TEXTS_MAX      1000

#define TEXT(key, type, member)                                                                    \
    CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER, type, member, 1, TEXT_BYTES_MAX)
#define TEXT_OPTIONAL(key, type, member)                                                           \
    CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, member, 1,         \
                           TEXT_BYTES_MAX)

static const cyaml_strval_t level_names[] = {
    {"debug", LOG_DEBUG}, {"info", LOG_INFO}, {"warn", LOG_WARN}, {"error", LOG_ERROR}};
static const cyaml_strval_t switch_names[] = {{"true", CONF_YES}, {"false", CONF_NO}};

static const cyaml_schema_field_t node_fields[] = {
    CYAML_FIELD_UINT("id", CYAML_FLAG_DEFAULT, struct conf_node, id),
    TEXT_OPTIONAL("name", struct conf_node, name), TEXT("data", struct conf_node, data),
    CYAML_FIELD_ENUM("witness", CYAML_FLAG_OPTIONAL, struct conf_node, witness, switch_names,
                     ARRAY_COUNT(switch_names)),
    CYAML_FIELD_END};

static const cyaml_schema_field_t member_fields[] = {
    CYAML_FIELD_UINT("node", CYAML_FLAG_DEFAULT, struct conf_member, node),
    TEXT("address", struct conf_member, address), CYAML_FIELD_END};
static const cyaml_schema_value_t member_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct conf_member, member_fields)};

static const cyaml_schema_field_t cluster_fields[] = {
    TEXT_OPTIONAL("name", struct conf_cluster, name),
    TEXT("domain", struct conf_cluster, domain),
    TEXT("bind", struct conf_cluster, bind),
    TEXT("address", struct conf_cluster, address),
    TEXT("ca", struct conf_cluster, ca),
    TEXT("certificate", struct conf_cluster, certificate),
    TEXT("key", struct conf_cluster, key),
    CYAML_FIELD_SEQUENCE_COUNT("members", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                               struct conf_cluster, members, members_count, &member_schema, 0,
                               MEMBERS_MAX),
    CYAML_FIELD_END};

static const cyaml_schema_field_t certificate_fields[] = {
    TEXT("domain", struct conf_certificate, domain),
    TEXT("certificate", struct conf_certificate, certificate),
    TEXT("key", struct conf_certificate, key), CYAML_FIELD_END};
static const cyaml_schema_value_t certificate_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct conf_certificate, certificate_fields)};

static const cyaml_schema_field_t c2s_fields[] = {
    TEXT_OPTIONAL("bind", struct conf_c2s, bind),
    TEXT_OPTIONAL("address", struct conf_c2s, address),
    CYAML_FIELD_UINT("port", CYAML_FLAG_OPTIONAL, struct conf_c2s, port),
    CYAML_FIELD_UINT("tls_port", CYAML_FLAG_OPTIONAL, struct conf_c2s, tls_port),
    CYAML_FIELD_SEQUENCE_COUNT("certificates", CYAML_FLAG_POINTER, struct conf_c2s, certificates,
                               certificates_count, &certificate_schema, 1, DOMAINS_MAX),
    CYAML_FIELD_ENUM("tls_unique_on_tls13", CYAML_FLAG_OPTIONAL, struct conf_c2s,
                     tls_unique_on_tls13, switch_names, ARRAY_COUNT(switch_names)),
    CYAML_FIELD_END};

static const cyaml_schema_value_t contact_schema = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, TEXT_BYTES_MAX)};

#define CONTACTS(name)                                                                             \
    CYAML_FIELD_SEQUENCE_COUNT(#name, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct conf_about, \
                               name, name##_count, &contact_schema, 0, TEXTS_MAX),

static const cyaml_schema_field_t about_fields[] = {
    CYAML_FIELD_ENUM("version", CYAML_FLAG_OPTIONAL, struct conf_about, version, switch_names,
                     ARRAY_COUNT(switch_names)),
    CONF_PURPOSES_MAP(CONTACTS) CYAML_FIELD_END};

static const cyaml_schema_field_t control_fields[] = {
    TEXT_OPTIONAL("socket", struct conf_control, socket), CYAML_FIELD_END};

static const cyaml_schema_field_t log_fields[] = {
    CYAML_FIELD_ENUM("level", CYAML_FLAG_OPTIONAL, struct conf_log, level, level_names,
                     ARRAY_COUNT(level_names)),
    CYAML_FIELD_END};

#define TIMER(name, min, max, value, moment)                                                       \
    CYAML_FIELD_UINT(#name, CYAML_FLAG_OPTIONAL, struct conf_timers, name),
#define LIMIT(name, min, max, value, moment)                                                       \
    CYAML_FIELD_UINT(#name, CYAML_FLAG_OPTIONAL, struct conf_limits, name),

static const cyaml_schema_field_t timer_fields[] = {CONF_TIMERS_MAP(TIMER) CYAML_FIELD_END};
static const cyaml_schema_field_t limit_fields[] = {CONF_LIMITS_MAP(LIMIT) CYAML_FIELD_END};

static const cyaml_schema_field_t top_fields[] = {
    CYAML_FIELD_MAPPING("node", CYAML_FLAG_DEFAULT, struct conf, node, node_fields),
    CYAML_FIELD_MAPPING("cluster", CYAML_FLAG_DEFAULT, struct conf, cluster, cluster_fields),
    CYAML_FIELD_MAPPING("c2s", CYAML_FLAG_OPTIONAL, struct conf, c2s, c2s_fields),
    CYAML_FIELD_MAPPING("about", CYAML_FLAG_OPTIONAL, struct conf, about, about_fields),
    CYAML_FIELD_MAPPING("control", CYAML_FLAG_OPTIONAL, struct conf, control, control_fields),
    CYAML_FIELD_MAPPING("log", CYAML_FLAG_OPTIONAL, struct conf, log, log_fields),
    CYAML_FIELD_MAPPING("timers", CYAML_FLAG_OPTIONAL, struct conf, timers, timer_fields),
    CYAML_FIELD_MAPPING("limits", CYAML_FLAG_OPTIONAL, struct conf, limits, limit_fields),
    CYAML_FIELD_END};

const cyaml_schema_value_t conf_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct conf, top_fields)};
