#include "node/conf/document.h"

#include <stdio.h>

struct reader {
    FILE *stream;
    yaml_parser_t parser;
};

static bool reader_open(struct reader *reader, const char *file)
{
    reader->stream = fopen(file, "re");
    if (reader->stream == NULL) {
        return false;
    }
    if (yaml_parser_initialize(&reader->parser) == 0) {
        (void)fclose(reader->stream);
        return false;
    }
    yaml_parser_set_input_file(&reader->parser, reader->stream);
    return true;
}

static void reader_close(struct reader *reader)
{
    yaml_parser_delete(&reader->parser);
    (void)fclose(reader->stream);
}

static struct place place_of_mark(const yaml_mark_t *mark)
{
    return (struct place){.line = mark->line + 1, .column = mark->column + 1};
}

bool document_load(const char *file, yaml_document_t *out)
{
    struct reader reader;
    bool loaded;

    if (!reader_open(&reader, file)) {
        return false;
    }
    loaded = yaml_parser_load(&reader.parser, out) != 0;
    reader_close(&reader);
    return loaded;
}

/* At the end of the stream libyaml gives a document without a root. */
bool document_is_followed(const char *file, struct place *out)
{
    struct reader reader;
    yaml_document_t document;
    bool follows = false;

    if (!reader_open(&reader, file)) {
        return false;
    }
    if (yaml_parser_load(&reader.parser, &document) != 0) {
        yaml_document_delete(&document);
        if (yaml_parser_load(&reader.parser, &document) != 0) {
            follows = yaml_document_get_root_node(&document) != NULL;
            *out = place_of_mark(&document.start_mark);
            yaml_document_delete(&document);
        } else {
            follows = true; /* and cannot be read */
            *out = place_of_mark(&reader.parser.problem_mark);
        }
    }
    reader_close(&reader);
    return follows;
}

struct place document_place(const yaml_node_t *node)
{
    return place_of_mark(&node->start_mark);
}
