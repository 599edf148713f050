// Charts and pages: well-formed whatever text and numbers they are given, bounded in size, without
// anything to fetch.

#include <cmath>
#include <cstdio>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "media/page.h"
#include "tests/support/markup.h"
#include "tests/support/random.h"

namespace {

const double kInf = std::numeric_limits<double>::infinity();
const double kNan = std::numeric_limits<double>::quiet_NaN();
const char kHostile[] =
    "</text><script>alert('1')</script> & \"x\" \x01\x1b \xff\xc0\x80 \xed\xa0\x80 "
    "\xef\xbf\xbe ]]> \xe2\x82\xac";

class Sink {
  public:
    Sink() { orr_sink_memory(&sink); }
    ~Sink() { orr_sink_free(&sink); }
    std::string text() const { return std::string(sink.text ? sink.text : "", sink.length); }
    orr_sink sink;
};

std::string svg(const orr_plot &plot) {
    Sink out;
    orr_error error = {};
    EXPECT_EQ(ORR_OK, orr_plot_svg(&plot, &out.sink, &error)) << error.text;
    EXPECT_EQ(ORR_OK, orr_sink_finish(&out.sink, &error));
    EXPECT_EQ("", markup_error(out.text()));
    EXPECT_EQ(std::string::npos, out.text().find("nan")) << out.text();
    EXPECT_EQ(std::string::npos, out.text().find("inf")) << out.text();
    return out.text();
}

orr_plot plot_of(const orr_plot_series *series, size_t count) {
    orr_plot plot = {};
    plot.title = "Title";
    plot.series = series;
    plot.count = count;
    return plot;
}

size_t occurrences(const std::string &text, const std::string &what) {
    size_t count = 0;
    for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1))
        count++;
    return count;
}

TEST(Markup, TheCheckerFindsWhatItIsFor) {
    EXPECT_EQ("", markup_error("<a b=\"1\" c=\"2\"><d/>x &lt; y</a>\n"));
    for (const char *bad :
         {"<a>", "<a></b>", "<a b=\"1\" b=\"2\"/>", "<a>&x;</a>", "<a>&</a>", "<a b=1/>", "<a/>",
          "x<a></a>", "<a></a><b></b>", "<a>\x01</a>", "<a b=\"<\"></a>", "<a>></a>"})
        EXPECT_NE("", markup_error(bad)) << bad;
}

TEST(Sink, EscapesMarkupAndRepairsBytes) {
    Sink out;
    orr_sink_escaped(&out.sink, "a<b>&\"'\tz");
    EXPECT_EQ("a&lt;b&gt;&amp;&quot;&#39;\tz", out.text());
    Sink bytes;
    orr_sink_escaped(&bytes.sink,
                     "\x01|\xff|\xc0\x80|\xed\xa0\x80|\xef\xbf\xbe|\xf4\x90\x80\x80|\xe2\x82");
    const std::string r = "\xef\xbf\xbd";
    EXPECT_EQ(r + "|" + r + "|" + r + r + "|" + r + r + r + "|" + r + "|" + r + r + r + r + "|" +
                  r + r,
              bytes.text());
    Sink good;
    orr_sink_escaped(&good.sink, "\xe2\x82\xac \xf0\x9f\x98\x80 \xc3\xa4");
    EXPECT_EQ("\xe2\x82\xac \xf0\x9f\x98\x80 \xc3\xa4", good.text());
    Sink nothing;
    orr_sink_escaped(&nothing.sink, nullptr);
    EXPECT_EQ("", nothing.text());
}

TEST(Sink, Base64OfTheRfc) {
    const char *text = "foobar",
               *expected[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
    for (size_t n = 0; n <= 6; n++) { // RFC 4648, section 10
        Sink out;
        orr_sink_base64(&out.sink, text, n);
        EXPECT_EQ(expected[n], out.text());
    }
}

TEST(Sink, KeepsTheFirstFailureOfAFile) {
    std::FILE *full = std::fopen("/dev/full", "w");
    if (!full) GTEST_SKIP() << "no /dev/full";
    orr_sink sink;
    orr_error error = {};
    orr_sink_file(&sink, full);
    for (int n = 0; n < 10000; n++) orr_sink_text(&sink, "0123456789");
    EXPECT_EQ(ORR_IO, orr_sink_finish(&sink, &error));
    EXPECT_NE(nullptr, std::strstr(error.text, "No space")) << error.text;
    std::fclose(full);
}

TEST(Sink, LongFormats) {
    Sink out;
    std::string longer(5000, 'x');
    orr_sink_format(&out.sink, "<%s>", longer.c_str());
    EXPECT_EQ("<" + longer + ">", out.text());
}

TEST(Plot, EveryKindOnEveryScale) {
    const double x[] = {1, 2, 4, 8, 1048576}, y[] = {3, 1, 4, 1e4, 5}, low[] = {2, 1, 3, 1, 4},
                 high[] = {4, 2, 9, 2e4, 6};
    for (int kind = ORR_PLOT_LINE; kind <= ORR_PLOT_DENSE; kind++)
        for (int scale = 0; scale < 9; scale++) {
            orr_plot_series series = {"label", orr_plot_kind(kind), x, y, low, high, 5};
            orr_plot plot = plot_of(&series, 1);
            plot.x.scale = orr_plot_scale(scale % 3);
            plot.y.scale = orr_plot_scale(scale / 3);
            plot.x.label = "size";
            plot.x.unit = "bytes";
            std::string text = svg(plot);
            EXPECT_NE(std::string::npos, text.find(">size (bytes)<"));
            EXPECT_NE(std::string::npos, text.find(">label<"));
            EXPECT_EQ(std::string::npos, text.find("no data"));
            if (plot.x.scale == ORR_PLOT_BYTES) {
                EXPECT_NE(std::string::npos, text.find(">1 MiB<"));
            }
        }
}

TEST(Plot, TicksAreRoundNumbers) {
    const double y[] = {0.13, 0.87};
    orr_plot_series series = {nullptr, ORR_PLOT_LINE, nullptr, y, nullptr, nullptr, 2};
    std::string text = svg(plot_of(&series, 1));
    for (const char *tick : {">0.0<", ">0.2<", ">0.4<", ">0.6<", ">0.8<", ">1.0<"})
        EXPECT_NE(std::string::npos, text.find(tick)) << tick << "\n" << text;
    const double wide[] = {1, 1e9};
    orr_plot_series many = {nullptr, ORR_PLOT_LINE, nullptr, wide, nullptr, nullptr, 2};
    orr_plot plot = plot_of(&many, 1);
    plot.y.scale = ORR_PLOT_LOG;
    EXPECT_NE(std::string::npos, svg(plot).find(">10⁸<"));
}

TEST(Plot, NothingToShow) {
    orr_plot empty = plot_of(nullptr, 0);
    EXPECT_NE(std::string::npos, svg(empty).find("no data"));
    const double bad[] = {kNan, kInf, -kInf, 1e305};
    for (int kind = ORR_PLOT_LINE; kind <= ORR_PLOT_DENSE; kind++) {
        orr_plot_series series = {"none", orr_plot_kind(kind), bad, bad, bad, bad, 4};
        EXPECT_NE(std::string::npos, svg(plot_of(&series, 1)).find("no data"));
        series.count = 0;
        EXPECT_NE(std::string::npos, svg(plot_of(&series, 1)).find("no data"));
    }
    const double negative[] = {-1, 0, -5};
    orr_plot_series series = {"none", ORR_PLOT_LINE, nullptr, negative, nullptr, nullptr, 3};
    orr_plot plot = plot_of(&series, 1);
    plot.y.scale = ORR_PLOT_LOG;
    EXPECT_NE(std::string::npos, svg(plot).find("no data"));
}

TEST(Plot, GapsInterruptALine) {
    const double y[] = {1, 2, kNan, 3, 4};
    orr_plot_series series = {nullptr, ORR_PLOT_LINE, nullptr, y, nullptr, nullptr, 5};
    std::string text = svg(plot_of(&series, 1));
    size_t start = text.find("class=\"l\"");
    std::string path = text.substr(start, text.find("/>", start) - start);
    EXPECT_EQ(2u, occurrences(path, "M")) << path;
    EXPECT_EQ(2u, occurrences(path, "L")) << path;
}

// Of so many values that a vertex stands for several, those that cannot be shown are left out.
TEST(Plot, GapsInALongLineHideNoExtremes) {
    std::vector<double> y(100000);
    for (size_t n = 0; n < y.size(); n++)
        y[n] = n % 5 == 0 ? kNan : n % 7 == 0 ? kInf : n % 11 == 0 ? -kInf : n == 50003 ? 1 : 0.5;
    y[60002] = 0;
    orr_plot_series series = {nullptr, ORR_PLOT_LINE, nullptr, y.data(),
                              nullptr, nullptr,       y.size()};
    std::string text = svg(plot_of(&series, 1));
    size_t start = text.find("class=\"l\"");
    std::string path = text.substr(start, text.find("/>", start) - start);
    EXPECT_EQ(1u, occurrences(path, "M")) << path.substr(0, 400); // no gap
    std::set<std::string> heights; // of the vertices: 0.5, and the one 0 and the one 1
    for (size_t at = 0; (at = path.find_first_of("ML", at + 1)) != std::string::npos;) {
        size_t space = path.find(' ', at);
        heights.insert(path.substr(space + 1, path.find_first_of("ML\"", space) - space - 1));
    }
    EXPECT_EQ(3u, heights.size());
    EXPECT_EQ(std::string::npos, text.find("nan"));
    EXPECT_EQ(std::string::npos, text.find("inf"));
}

TEST(Plot, RandomNumbersOfAnyMagnitude) {
    for (int turn = 0; turn < 300; turn++) {
        size_t count = test_random()() % 20;
        std::vector<double> x(count), y(count);
        for (size_t n = 0; n < count; n++) {
            uint64_t a = test_random()(), b = test_random()();
            memcpy(&x[n], &a, 8); // any bit pattern
            memcpy(&y[n], &b, 8);
            if (turn % 3 == 0) y[n] = 1e9 + double(b % 3) * 1e-7;
        }
        orr_plot_series series = {
            "s", orr_plot_kind(turn % 6), x.data(), y.data(), nullptr, nullptr, count};
        orr_plot plot = plot_of(&series, 1);
        plot.x.scale = orr_plot_scale(test_random()() % 3);
        plot.y.scale = orr_plot_scale(test_random()() % 3);
        plot.width = 160 + unsigned(test_random()() % 1000);
        orr_plot_mark mark = {count ? y[0] : kNan, "mark", turn % 2};
        plot.marks = &mark;
        plot.mark_count = 1;
        EXPECT_LT(svg(plot).size(), 50000u);
    }
}

// Far apart, and only one of them in sight: the space between them is no width that can be drawn.
TEST(Plot, BarsOfHostileDistance) {
    const double x[] = {5, 1.7e308, -1.7e308}, y[] = {8e290, kNan, kNan};
    orr_plot_series series = {"s", ORR_PLOT_BARS, x, y, nullptr, nullptr, 3};
    orr_plot plot = plot_of(&series, 1);
    for (orr_plot_scale scale : {ORR_PLOT_LINEAR, ORR_PLOT_LOG}) {
        plot.x.scale = scale;
        svg(plot); // looks for "inf" and "nan"
    }
}

TEST(Plot, HostileTextIsOnlyText) {
    const double y[] = {1, 2};
    const char *names[] = {kHostile, kHostile};
    orr_plot_series series = {kHostile, ORR_PLOT_BARS, nullptr, y, nullptr, nullptr, 2};
    orr_plot_mark mark = {1.5, kHostile, 0};
    orr_plot plot = plot_of(&series, 1);
    plot.title = plot.description = plot.x.label = plot.x.unit = plot.y.label = plot.y.unit =
        kHostile;
    plot.x.names = names;
    plot.x.name_count = 2;
    plot.marks = &mark;
    plot.mark_count = 1;
    std::string text = svg(plot);
    EXPECT_EQ(std::string::npos, text.find("<script"));
}

TEST(Plot, ManyPointsStayBounded) {
    std::vector<double> x(2000000), y(2000000);
    std::uniform_real_distribution<double> any(0, 1);
    for (size_t n = 0; n < x.size(); n++) {
        x[n] = any(test_random());
        y[n] = any(test_random());
    }
    orr_plot_series dense = {"cloud", ORR_PLOT_DENSE, x.data(), y.data(),
                             nullptr, nullptr,        x.size()};
    EXPECT_LT(svg(plot_of(&dense, 1)).size(), 1000000u);
    dense.count = 20000;
    EXPECT_LT(svg(plot_of(&dense, 1)).size(), 1000000u);
    orr_plot_series line = {"line", ORR_PLOT_LINE, nullptr, y.data(), nullptr, nullptr, y.size()};
    EXPECT_LT(svg(plot_of(&line, 1)).size(), 100000u);
    orr_plot_series steps = {"steps", ORR_PLOT_STEPS, nullptr, y.data(),
                             nullptr, nullptr,        y.size()};
    EXPECT_LT(svg(plot_of(&steps, 1)).size(), 100000u);
}

TEST(Plot, RefusesSizesOutOfRange) {
    Sink out;
    orr_error error = {};
    orr_plot plot = plot_of(nullptr, 0);
    plot.width = 100000;
    EXPECT_EQ(ORR_USAGE, orr_plot_svg(&plot, &out.sink, &error));
}

TEST(Page, WellFormedWithHostileText) {
    const double y[] = {1, 2};
    orr_plot_series series = {kHostile, ORR_PLOT_LINE_POINTS, nullptr, y, nullptr, nullptr, 2};
    orr_plot plot = plot_of(&series, 1);
    const orr_page_column columns[] = {
        {kHostile, ORR_ALIGN_LEFT}, {"n", ORR_ALIGN_RIGHT}, {"ok", ORR_ALIGN_CENTRE}};
    const orr_page_cell cells[] = {{kHostile, ORR_MARK_NONE}, {"1", ORR_MARK_PASS},
                                   {nullptr, ORR_MARK_FAIL},  {"b", ORR_MARK_NOTE},
                                   {nullptr, ORR_MARK_NONE},  {"", ORR_MARK_PASS}};
    const orr_page_table table = {kHostile, columns, 3, cells, 2};
    const char *items[] = {kHostile, "plain"};
    Sink out;
    orr_error error = {};
    orr_page_begin(&out.sink, kHostile, kHostile);
    orr_page_heading(&out.sink, 2, kHostile);
    orr_page_heading(&out.sink, -7, "too high");
    orr_page_paragraph(&out.sink, kHostile);
    orr_page_note(&out.sink, kHostile);
    orr_page_code(&out.sink, kHostile);
    orr_page_list(&out.sink, items, 2);
    orr_page_data_table(&out.sink, &table);
    orr_page_row_begin(&out.sink);
    EXPECT_EQ(ORR_OK, orr_page_plot(&out.sink, &plot, kHostile, &error));
    orr_page_png(&out.sink, "\x89PNG", 4, 64, 1, kHostile, kHostile);
    orr_page_row_end(&out.sink);
    orr_page_end(&out.sink);
    ASSERT_EQ(ORR_OK, orr_sink_finish(&out.sink, &error));
    std::string text = out.text();
    EXPECT_EQ("", markup_error(text, {"meta", "img"}));
    EXPECT_EQ(std::string::npos, text.find("<script"));
    EXPECT_EQ(2u, occurrences(text, "✓ pass"));
    EXPECT_EQ(1u, occurrences(text, "✗ fail"));
    // Nothing to fetch: the only address is the name of the SVG namespace.
    EXPECT_EQ(1u, occurrences(text, "://"));
    EXPECT_NE(std::string::npos, text.find("default-src 'none'"));
}

} // namespace
