// SPDX-License-Identifier: MIT
// The matrix of case against driver, as text: pass, FAIL, or n/a with a footnote. For people and
// for files, where it has no colours.
#include "runner.h"

#include <stdio.h>
#include <string.h>

enum { NOTES_MAX = 64, COLUMN_WIDTH = 9 };

struct notes {
    const char *reason[NOTES_MAX];
    size_t count;
};

// The number of a reason, from 1; the same reason has the same number.
static size_t note_number(struct notes *notes, const char *reason) {
    for (size_t i = 0; i < notes->count; i++)
        if (strcmp(notes->reason[i], reason) == 0)
            return i + 1;
    if (notes->count < NOTES_MAX)
        notes->reason[notes->count++] = reason;
    return notes->count;
}

static void print_cell(const struct cell *cell, struct notes *notes, FILE *file, bool coloured) {
    static const char *const words[] = {"-", "pass", "FAIL", "n/a", "-"};
    static const char *const colours[] = {"", "\033[32m", "\033[1;31m", "\033[2m", ""};
    char text[24];
    if (cell->verdict == NOT_APPLICABLE)
        snprintf(text, sizeof text, "n/a [%zu]", note_number(notes, cell->reason));
    else
        snprintf(text, sizeof text, "%s", words[cell->verdict]);
    const char *colour = coloured ? colours[cell->verdict] : "";
    fprintf(file, "%s%-*s%s", colour, COLUMN_WIDTH, text, *colour ? "\033[0m" : "");
}

static size_t longest_name(const struct matrix *matrix) {
    size_t longest = 0;
    for (size_t i = 0; i < matrix->row_count; i++) {
        size_t size = strlen(matrix->rows[i].of->name);
        longest = size > longest ? size : longest;
    }
    return longest;
}

static const char *file_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

// A name is a sentence, so it is printed as one.
static void print_sentence(const char *name, size_t width, FILE *file) {
    size_t size = 0;
    for (; name[size] != '\0'; size++)
        fputc(name[size] == '_' ? ' ' : name[size], file);
    fprintf(file, "%*s", (int)(width - size + 2), "");
}

static void print_head(const struct matrix *matrix, size_t width, FILE *file) {
    fprintf(file, "%-*s", (int)width + 2, "case");
    for (size_t d = 0; d < matrix->driver_count; d++)
        fprintf(file, "%-*s", COLUMN_WIDTH,
                matrix->is_available[d] ? matrix->column[d] : matrix->asked[d]);
    fputc('\n', file);
    for (size_t d = 0; d < matrix->driver_count; d++)
        if (!matrix->is_available[d])
            fprintf(file, "%s: not available: %s\n", matrix->asked[d], matrix->column[d]);
}

static size_t count_of(const struct matrix *matrix, enum verdict verdict) {
    size_t count = 0;
    for (size_t i = 0; i < matrix->row_count; i++)
        for (size_t d = 0; d < matrix->driver_count; d++)
            count += matrix->rows[i].cells[d].verdict == verdict;
    return count;
}

size_t matrix_print_count(const struct matrix *matrix, void *stream) {
    size_t failed = count_of(matrix, FAILED);
    fprintf(stream, "%zu passed, %zu failed, %zu not applicable\n", count_of(matrix, PASSED),
            failed, count_of(matrix, NOT_APPLICABLE));
    return failed;
}

size_t matrix_print(const struct matrix *matrix, void *stream, bool is_coloured) {
    FILE *file = stream;
    struct notes notes = {.count = 0};
    size_t width = longest_name(matrix);
    print_head(matrix, width, file);
    const char *theme = "";
    for (size_t i = 0; i < matrix->row_count; i++) {
        const struct row *row = &matrix->rows[i];
        if (strcmp(theme, row->of->file) != 0)
            fprintf(file, "\n%s\n", file_name(theme = row->of->file));
        print_sentence(row->of->name, width, file);
        for (size_t d = 0; d < matrix->driver_count; d++)
            print_cell(&row->cells[d], &notes, file, is_coloured);
        fputc('\n', file);
    }
    fputc('\n', file);
    for (size_t i = 0; i < notes.count; i++)
        fprintf(file, "[%zu] %s\n", i + 1, notes.reason[i]);
    return matrix_print_count(matrix, file);
}

// The slowest cell after `last` (NULL: of all); equally slow ones come in the order of the matrix.
static const struct cell *next_slowest(const struct matrix *matrix, const struct cell *last,
                                       size_t *ret_row, size_t *ret_driver) {
    const struct cell *best = NULL;
    for (size_t i = 0; i < matrix->row_count; i++)
        for (size_t d = 0; d < matrix->driver_count; d++) {
            const struct cell *cell = &matrix->rows[i].cells[d];
            if (last != NULL && (cell->spent_ns > last->spent_ns ||
                                 (cell->spent_ns == last->spent_ns && cell <= last)))
                continue;
            if (best == NULL || cell->spent_ns > best->spent_ns) {
                best = cell;
                *ret_row = i;
                *ret_driver = d;
            }
        }
    return best;
}

void matrix_print_slowest(const struct matrix *matrix, size_t count) {
    const struct cell *cell = NULL;
    size_t row = 0, driver = 0;
    while (count-- > 0 && (cell = next_slowest(matrix, cell, &row, &driver)) != NULL)
        printf("%8.2f s  %s on %s\n", (double)cell->spent_ns / 1e9, matrix->rows[row].of->name,
               matrix->asked[driver]);
}
