// Self-contained HTML pages: one file, no network, light and dark, from phone to desktop.
//
// orr_page_begin(), then any number of elements in order, then orr_page_end(). All text is escaped.
// Writing errors are the sink's (orr_sink_finish).
#ifndef ORRERY_MEDIA_PAGE_H
#define ORRERY_MEDIA_PAGE_H

#include "media/plot.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum orr_mark {
    ORR_MARK_NONE,
    ORR_MARK_PASS, // a word and a sign beside the cell's text, never colour alone
    ORR_MARK_FAIL,
    ORR_MARK_NOTE // neither: left out, skipped, for attention
} orr_mark;

typedef enum orr_align { ORR_ALIGN_LEFT, ORR_ALIGN_RIGHT, ORR_ALIGN_CENTRE } orr_align;

typedef struct orr_page_column {
    const char *heading;
    orr_align align;
} orr_page_column;

typedef struct orr_page_cell {
    const char *text; // NULL: empty
    orr_mark mark;
} orr_page_cell;

typedef struct orr_page_table {
    const char *caption; // NULL: none
    const orr_page_column *columns;
    size_t column_count;
    const orr_page_cell *cells; // row after row
    size_t row_count;
} orr_page_table;

// Starts a page; `summary` is a paragraph beneath the title (NULL: none).
void orr_page_begin(orr_sink *sink, const char *title, const char *summary);
void orr_page_end(orr_sink *sink);

void orr_page_heading(orr_sink *sink, int level, const char *text); // level 2..4
void orr_page_paragraph(orr_sink *sink, const char *text);
void orr_page_note(orr_sink *sink, const char *text); // a paragraph set off: a caveat
void orr_page_code(orr_sink *sink, const char *text); // fixed width, lines kept
void orr_page_list(orr_sink *sink, const char *const *items, size_t count);
void orr_page_data_table(orr_sink *sink, const orr_page_table *table);

// Figures between these two stand side by side where there is room.
void orr_page_row_begin(orr_sink *sink);
void orr_page_row_end(orr_sink *sink);
// A chart with its caption (NULL: none). Errors: orr_plot_svg's.
orr_status orr_page_plot(orr_sink *sink, const orr_plot *plot, const char *caption,
                         orr_error *error);
// A PNG file's bytes as a picture, at `width` CSS pixels (0: its own) or less. `alt` says what is
// seen; small pictures can keep sharp pixels when enlarged.
void orr_page_png(orr_sink *sink, const void *png, size_t bytes, unsigned width, int sharp,
                  const char *alt, const char *caption);

#ifdef __cplusplus
}
#endif

#endif
