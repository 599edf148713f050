#include "media/page.h"

#include <string.h>

static const char head[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
    "style-src 'unsafe-inline'\">\n";

static const char style[] =
    "<style>\n"
    ":root{--ink:#1b1b1b;--paper:#fff;--soft:#f3f4f6;--rule:#c9ccd1;--pass:#00684d;--fail:#b0122b;"
    "--note:#6a5400}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e8e8e8;--paper:#16181b;--soft:#22262b;"
    "--rule:#4a5058;--pass:#4fd0a6;--fail:#ff8694;--note:#dcc04a}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;padding:1rem;max-width:72rem;color:var(--ink);background:var(--paper);"
    "font:1rem/1.5 system-ui,sans-serif;overflow-wrap:break-word}\n"
    "h1{font-size:1.7rem;line-height:1.25;margin:.5rem 0}\n"
    "h2{font-size:1.3rem;margin:2rem 0 .5rem;border-bottom:1px solid var(--rule)}\n"
    "h3{font-size:1.1rem;margin:1.5rem 0 .4rem}h4{font-size:1rem;margin:1rem 0 .3rem}\n"
    "p,ul{max-width:46rem;margin:.5rem 0}\n"
    ".note{background:var(--soft);border-left:.25rem solid var(--note);padding:.5rem .8rem}\n"
    "pre{background:var(--soft);padding:.6rem .8rem;overflow-x:auto;font-size:.85rem}\n"
    ".wide{overflow-x:auto;margin:.8rem 0}\n"
    "table{border-collapse:collapse;font-size:.92rem;font-variant-numeric:tabular-nums}\n"
    "caption{text-align:left;font-weight:600;padding:.2rem 0}\n"
    "th,td{padding:.25rem .7rem;border-bottom:1px solid var(--rule);text-align:left;"
    "vertical-align:top}\n"
    "thead th{background:var(--soft)}td:first-child{min-width:7rem}\n"
    ".r{text-align:right}.c{text-align:center}td.r,.pass,.fail,.mark{white-space:nowrap}"
    "td.long{white-space:normal;min-width:7rem}\n"
    ".pass{color:var(--pass)}.fail{color:var(--fail);font-weight:600}.mark{color:var(--note)}\n"
    ".row{display:flex;flex-wrap:wrap;gap:1rem;align-items:flex-start}\n"
    "figure{margin:.8rem 0;max-width:100%;overflow-x:auto}\n"
    "figure svg{min-width:min(30rem,100%)}\n"
    "figure img{max-width:100%;height:auto;display:block}.sharp{image-rendering:pixelated}\n"
    "figcaption{font-size:.88rem;max-width:40rem}\n"
    "@media(max-width:34rem){body{padding:.7rem}figure svg{min-width:30rem}"
    "th,td{padding:.2rem .45rem}}\n"
    "</style></head><body>\n";

// A right-aligned cell of more bytes may take several lines; in a table of many columns, of fewer.
#define LONG_CELL 20
#define LONG_CELL_OF_MANY 12
#define MANY_COLUMNS 8

// An element whose content is escaped text.
static void element(orr_sink *sink, const char *open, const char *text, const char *close) {
    orr_sink_text(sink, open);
    orr_sink_escaped(sink, text);
    orr_sink_text(sink, close);
}

void orr_page_begin(orr_sink *sink, const char *title, const char *summary) {
    orr_sink_text(sink, head);
    element(sink, "<title>", title, "</title>\n");
    orr_sink_text(sink, style);
    element(sink, "<h1>", title, "</h1>\n");
    if (summary) orr_page_paragraph(sink, summary);
}

void orr_page_end(orr_sink *sink) {
    orr_sink_text(sink, "</body></html>\n");
}

void orr_page_heading(orr_sink *sink, int level, const char *text) {
    if (level < 2) level = 2;
    if (level > 4) level = 4;
    orr_sink_format(sink, "<h%d>", level);
    orr_sink_escaped(sink, text);
    orr_sink_format(sink, "</h%d>\n", level);
}

void orr_page_paragraph(orr_sink *sink, const char *text) {
    element(sink, "<p>", text, "</p>\n");
}

void orr_page_note(orr_sink *sink, const char *text) {
    element(sink, "<p class=\"note\">", text, "</p>\n");
}

void orr_page_code(orr_sink *sink, const char *text) {
    element(sink, "<pre>", text, "</pre>\n");
}

void orr_page_list(orr_sink *sink, const char *const *items, size_t count) {
    orr_sink_text(sink, "<ul>");
    for (size_t n = 0; n < count; n++) element(sink, "<li>", items[n], "</li>");
    orr_sink_text(sink, "</ul>\n");
}

static const char *class_of(orr_align align) {
    return align == ORR_ALIGN_RIGHT    ? " class=\"r\""
           : align == ORR_ALIGN_CENTRE ? " class=\"c\""
                                       : "";
}

static void put_mark(orr_sink *sink, orr_mark mark, int alone) {
    const char *space = alone ? "" : " ";
    if (mark == ORR_MARK_PASS) orr_sink_format(sink, "%s<span class=\"pass\">✓ pass</span>", space);
    if (mark == ORR_MARK_FAIL) orr_sink_format(sink, "%s<span class=\"fail\">✗ fail</span>", space);
    if (mark == ORR_MARK_NOTE) orr_sink_format(sink, "%s<span class=\"mark\">– note</span>", space);
}

void orr_page_data_table(orr_sink *sink, const orr_page_table *table) {
    // A wide table scrolls by itself, and can be reached with the keyboard for it.
    orr_sink_text(sink, "<div class=\"wide\" tabindex=\"0\"><table>");
    if (table->caption) element(sink, "<caption>", table->caption, "</caption>");
    orr_sink_text(sink, "<thead><tr>");
    for (size_t n = 0; n < table->column_count; n++) {
        orr_sink_format(sink, "<th scope=\"col\"%s>", class_of(table->columns[n].align));
        element(sink, "", table->columns[n].heading, "</th>");
    }
    orr_sink_text(sink, "</tr></thead>\n<tbody>");
    size_t longest = table->column_count > MANY_COLUMNS ? LONG_CELL_OF_MANY : LONG_CELL;
    for (size_t row = 0; row < table->row_count; row++) {
        orr_sink_text(sink, "<tr>");
        for (size_t n = 0; n < table->column_count; n++) {
            const orr_page_cell *cell = &table->cells[row * table->column_count + n];
            int breaks = table->columns[n].align == ORR_ALIGN_RIGHT && cell->text &&
                         strlen(cell->text) > longest;
            orr_sink_format(sink, "<td%s>",
                            breaks ? " class=\"r long\"" : class_of(table->columns[n].align));
            orr_sink_escaped(sink, cell->text);
            put_mark(sink, cell->mark, !cell->text || !*cell->text);
            orr_sink_text(sink, "</td>");
        }
        orr_sink_text(sink, "</tr>\n");
    }
    orr_sink_text(sink, "</tbody></table></div>\n");
}

void orr_page_row_begin(orr_sink *sink) {
    orr_sink_text(sink, "<div class=\"row\">\n");
}

void orr_page_row_end(orr_sink *sink) {
    orr_sink_text(sink, "</div>\n");
}

static void end_figure(orr_sink *sink, const char *caption) {
    if (caption) element(sink, "<figcaption>", caption, "</figcaption>");
    orr_sink_text(sink, "</figure>\n");
}

orr_status orr_page_plot(orr_sink *sink, const orr_plot *plot, const char *caption,
                         orr_error *error) {
    orr_sink_text(sink, "<figure tabindex=\"0\">");
    orr_status status = orr_plot_svg(plot, sink, error);
    end_figure(sink, caption);
    return status;
}

void orr_page_png(orr_sink *sink, const void *png, size_t bytes, unsigned width, int sharp,
                  const char *alt, const char *caption) {
    orr_sink_text(sink, "<figure><img");
    if (sharp) orr_sink_text(sink, " class=\"sharp\"");
    if (width) orr_sink_format(sink, " width=\"%u\"", width);
    element(sink, " alt=\"", alt, "\" src=\"data:image/png;base64,");
    orr_sink_base64(sink, png, bytes);
    orr_sink_text(sink, "\">");
    end_figure(sink, caption);
}
