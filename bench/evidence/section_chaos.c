// The 1-DEC map: beside four other maps, and the integer map beside the published formula.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/evidence/chaos.h"
#include "bench/evidence/critical.h"
#include "bench/evidence/evidence_report.h"
#include "bench/evidence/parallel.h"
#include "kernels/map.h"

#define CYCLE_FIRST 16
#define CYCLE_STEP 4
#define WINDOW_MU 0.828752 // an attracting orbit of period 2

typedef struct plan { // how much is computed
    size_t parameters, drop, keep, exponents, exponent_steps, states, agreements, starts;
    unsigned cycle_last;
} plan;
static const plan quick_plan = {300, 300, 60, 150, 4000, 200000, 1000, 64, 32};
static const plan full_plan = {800, 1000, 150, 400, 20000, 1000000, 5000, 128, 44};

static const char text_chaos[] =
    "Published: y' = 1 - 2 cos^2(arccos(y) e^(1/mu) arccos(y)). With y = cos(pi u) this is u' = 1 "
    "- "
    "tri(K u^2), K = 2 pi e^(1/mu): a square, a product and a fold, which Orrery computes in "
    "64-bit "
    "integers, so that every machine has the same bits. Its parameter is K2 = 2 K = 2825054457, mu "
    "= "
    "0.0519999999988. Below: how far one step is from the published formula in high precision; "
    "bifurcation diagrams and Lyapunov exponents beside the logistic, Chebyshev, 1-DCP and 1-DSP "
    "maps; where the states lie; how long it takes until states repeat.";

// ---- one step

static orr_status write_agreement(orr_evidence *e, cJSON *json, const plan *p, orr_error *error) {
    static const uint32_t factors[] = {ORR_MAP_K2_DEFAULT, UINT32_MAX, 1000000007, 22995, 35};
    static const orr_page_column columns[] = {{"K2", ORR_ALIGN_RIGHT},
                                              {"mu", ORR_ALIGN_RIGHT},
                                              {"worst in y (log2)", ORR_ALIGN_RIGHT},
                                              {"worst in u (log2)", ORR_ALIGN_RIGHT},
                                              {"formula in doubles (log2)", ORR_ALIGN_RIGHT}};
    orr_table table = {.columns = columns, .column_count = 5};
    cJSON *list = cJSON_AddArrayToObject(json, "agreement");
    for (size_t n = 0; n < sizeof factors / sizeof *factors; n++) {
        orr_chaos_agreement a;
        orr_chaos_agree(factors[n], p->agreements, e->options->seed, &a);
        orr_mark mark = ORR_MARK_NONE;
        if (n == 0) {
            orr_finding finding = {.measure = "integer map against the formula, one step",
                                   .unit = "log2 of the worst error in y",
                                   .value = log2(a.worst_y),
                                   .ideal = NAN,
                                   .low = -INFINITY,
                                   .high = -28};
            mark = orr_evidence_finding(e, &finding);
        }
        orr_table_cell(&table, ORR_MARK_NONE, "%u", a.k2);
        orr_table_cell(&table, ORR_MARK_NONE, "%.12g", a.mu);
        orr_table_cell(&table, mark, "%.2f", log2(a.worst_y));
        orr_table_cell(&table, ORR_MARK_NONE, "%.2f", log2(a.worst_u));
        orr_table_cell(&table, ORR_MARK_NONE, "%.2f", log2(a.worst_double_y));
        cJSON *item = cJSON_CreateObject();
        cJSON_AddNumberToObject(item, "k2", a.k2);
        orr_json_add_real(item, "mu", a.mu);
        cJSON_AddNumberToObject(item, "samples", (double)a.samples);
        orr_json_add_real(item, "worst_y", a.worst_y);
        orr_json_add_real(item, "mean_y", a.mean_y);
        orr_json_add_real(item, "worst_u", a.worst_u);
        orr_json_add_real(item, "worst_double_y", a.worst_double_y);
        cJSON_AddItemToArray(list, item);
    }
    orr_status status =
        orr_table_put(&e->body, &table,
                      "One step of the integer map, and of the formula in doubles, against the "
                      "formula in 320 bits",
                      error);
    orr_page_note(&e->body, "The integer map is nearer to the published formula than the formula "
                            "computed in doubles is: e^(1/mu) enlarges every rounding.");
    return status;
}

// ---- bifurcation and Lyapunov exponent

typedef struct curves {
    const plan *plan;
    double *parameter[ORR_CHAOS_MAPS], *state[ORR_CHAOS_MAPS];     // bifurcation
    double *at[ORR_CHAOS_MAPS + 1], *exponent[ORR_CHAOS_MAPS + 1]; // the last: integers
} curves;

static double exponent_at(const curves *c, orr_chaos_map map, size_t n) {
    const orr_chaos_info *info = orr_chaos_map_info(map);
    return info->low + (info->high - info->low) * (double)n / (double)(c->plan->exponents - 1);
}

// Index: a map, or the integer map.
static orr_status compute_curve(void *context, size_t index, orr_error *error) {
    (void)error; // arithmetic
    curves *c = context;
    int integers = index == ORR_CHAOS_MAPS;
    orr_chaos_map map = integers ? ORR_CHAOS_DEC : (orr_chaos_map)index;
    const orr_chaos_info *info = orr_chaos_map_info(map);
    for (size_t n = 0; n < c->plan->exponents; n++) {
        double p = exponent_at(c, map, n);
        uint32_t k2 = orr_chaos_k2(p);
        c->at[index][n] = integers ? orr_chaos_mu(k2) : p;
        c->exponent[index][n] = integers ? orr_chaos_lyapunov_integer(k2, c->plan->exponent_steps)
                                         : orr_chaos_lyapunov(map, p, c->plan->exponent_steps);
    }
    if (!integers) {
        orr_chaos_bifurcation(map, info->low, info->high, c->plan->parameters, c->plan->drop,
                              c->plan->keep, c->parameter[index], c->state[index]);
    }
    return ORR_OK;
}

static orr_status plot_map(orr_evidence *e, const curves *c, orr_chaos_map map, orr_error *error) {
    const orr_chaos_info *info = orr_chaos_map_info(map);
    char title[80], caption[300];
    int dec = map == ORR_CHAOS_DEC;
    snprintf(title, sizeof title, "%s: bifurcation", info->name);
    orr_plot_series points = {.kind = ORR_PLOT_DENSE,
                              .x = c->parameter[map],
                              .y = c->state[map],
                              .count = c->plan->parameters * c->plan->keep};
    orr_plot plot = {.title = title,
                     .width = 500,
                     .height = 320,
                     .x = {.label = info->parameter, .low = info->low, .high = info->high},
                     .y = {.label = "state", .low = info->x_low, .high = info->x_high},
                     .series = &points,
                     .count = 1};
    snprintf(caption, sizeof caption, "%s' = %s.", dec ? "y" : "x", info->formula);
    orr_page_row_begin(&e->body);
    orr_status status = orr_page_plot(&e->body, &plot, caption, error);
    snprintf(title, sizeof title, "%s: Lyapunov exponent", info->name);
    orr_plot_series lines[2] = {{.label = dec ? "published formula" : NULL,
                                 .kind = ORR_PLOT_LINE,
                                 .x = c->at[map],
                                 .y = c->exponent[map],
                                 .count = c->plan->exponents},
                                {.label = "integer map",
                                 .kind = ORR_PLOT_POINTS,
                                 .x = c->at[ORR_CHAOS_MAPS],
                                 .y = c->exponent[ORR_CHAOS_MAPS],
                                 .count = c->plan->exponents}};
    orr_plot_mark zero = {0, "chaos above", 0};
    plot.title = title;
    plot.y = (orr_plot_axis){.label = "exponent", .unit = "1/step"};
    plot.series = lines;
    plot.count = dec ? 2 : 1;
    plot.marks = &zero;
    plot.mark_count = 1;
    snprintf(caption, sizeof caption,
             dec ? "Near 1/mu + ln(4 pi) - 1, in both forms, but for windows (see below)."
                 : "Mean of ln |f'(x)| over %zu steps.",
             c->plan->exponent_steps);
    if (status == ORR_OK) status = orr_page_plot(&e->body, &plot, caption, error);
    orr_page_row_end(&e->body);
    return status;
}

static void exponent_findings(orr_evidence *e, cJSON *json, const curves *c) {
    const plan *p = c->plan;
    double mu = orr_chaos_map_info(ORR_CHAOS_DEC)->typical;
    // ln(K2 u) with u uniform: mean ln K2 - 1, standard deviation 1.
    double ideal = log((double)ORR_MAP_K2_DEFAULT) - 1, reach = 5 / sqrt((double)p->exponent_steps);
    double values[2] = {orr_chaos_lyapunov_integer(ORR_MAP_K2_DEFAULT, p->exponent_steps),
                        orr_chaos_lyapunov(ORR_CHAOS_DEC, mu, p->exponent_steps)};
    for (int n = 0; n < 2; n++) {
        orr_finding finding = {.measure = n ? "Lyapunov exponent, published formula"
                                            : "Lyapunov exponent, integer map",
                               .unit = "1/step",
                               .value = values[n],
                               .published = "positive",
                               .ideal = ideal,
                               .low = ideal - reach,
                               .high = ideal + reach,
                               .headline = n == 0};
        orr_evidence_finding(e, &finding);
    }
    // Where the orbit of y = 1 (angle 0, slope 0) is periodic it attracts: the map has windows, as
    // the logistic map has. They become narrow as K grows.
    orr_finding window = {.measure = "Lyapunov exponent, published formula, mu = 0.828752",
                          .unit = "1/step",
                          .value = orr_chaos_lyapunov(ORR_CHAOS_DEC, WINDOW_MU, p->exponent_steps),
                          .published = "positive",
                          .ideal = NAN,
                          .low = 0,
                          .high = INFINITY};
    orr_evidence_finding(e, &window);
    cJSON *list = cJSON_AddArrayToObject(json, "lyapunov");
    for (int map = 0; map <= ORR_CHAOS_MAPS; map++) {
        int integers = map == ORR_CHAOS_MAPS;
        cJSON *item = cJSON_CreateObject();
        cJSON_AddStringToObject(
            item, "map", integers ? "1-dec-integer" : orr_chaos_map_info((orr_chaos_map)map)->key);
        orr_json_add_reals(item, "parameter", c->at[map], p->exponents);
        orr_json_add_reals(item, "exponent", c->exponent[map], p->exponents);
        cJSON_AddItemToArray(list, item);
    }
}

static orr_status write_curves(orr_evidence *e, cJSON *json, const plan *p, orr_error *error) {
    size_t points = p->parameters * p->keep;
    size_t numbers = ORR_CHAOS_MAPS * 2 * points + (ORR_CHAOS_MAPS + 1) * 2 * p->exponents;
    double *memory = malloc(numbers * sizeof *memory), *free_part = memory;
    if (!memory) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    curves c = {.plan = p};
    for (int map = 0; map < ORR_CHAOS_MAPS; map++, free_part += 2 * points) {
        c.parameter[map] = free_part;
        c.state[map] = free_part + points;
    }
    for (int map = 0; map <= ORR_CHAOS_MAPS; map++, free_part += 2 * p->exponents) {
        c.at[map] = free_part;
        c.exponent[map] = free_part + p->exponents;
    }
    orr_status status =
        orr_parallel(orr_evidence_threads(e), ORR_CHAOS_MAPS + 1, compute_curve, &c, error);
    if (status == ORR_OK) exponent_findings(e, json, &c);
    char text[200];
    snprintf(text, sizeof text,
             "Of each map %zu states after %zu steps, at each of %zu parameters, then the "
             "exponent: above zero neighbours part, below they come together.",
             p->keep, p->drop, p->parameters);
    if (status == ORR_OK) orr_page_paragraph(&e->body, text);
    for (int map = 0; map < ORR_CHAOS_MAPS && status == ORR_OK; map++) {
        status = plot_map(e, &c, (orr_chaos_map)map, error);
    }
    free(memory);
    orr_page_note(
        &e->body,
        "The exponent of 1-DEC is positive at the mu in use, but not everywhere, as published: "
        "at mu = 0.828752 two states attract all others, and a finer search finds more such "
        "windows. They are places where the orbit of y = 1, where the slope is zero, is "
        "periodic; their width shrinks as e^(1/mu) grows. The factor of the archive profile "
        "is fixed, and lies in none that an orbit of the length measured here shows.");
    return status;
}

// ---- where the states lie

static orr_status write_states(orr_evidence *e, cJSON *json, const plan *p, orr_error *error) {
    orr_chaos_states states[ORR_CHAOS_MAPS + 1];
    orr_chaos_states_integer(ORR_MAP_K2_DEFAULT, p->states, &states[ORR_CHAOS_MAPS]);
    for (int map = 0; map < ORR_CHAOS_MAPS; map++) {
        double typical = orr_chaos_map_info((orr_chaos_map)map)->typical;
        orr_chaos_states_of((orr_chaos_map)map, typical, p->states, &states[map]);
    }
    cJSON *list = cJSON_AddArrayToObject(json, "states");
    double share[ORR_CHAOS_MAPS + 1][ORR_CHAOS_BINS], at[ORR_CHAOS_BINS];
    orr_plot_series series[ORR_CHAOS_MAPS + 1];
    for (int map = 0; map <= ORR_CHAOS_MAPS; map++) {
        const orr_chaos_info *info =
            map < ORR_CHAOS_MAPS ? orr_chaos_map_info((orr_chaos_map)map) : NULL;
        for (int i = 0; i < ORR_CHAOS_BINS; i++) {
            at[i] = (i + 0.5) / ORR_CHAOS_BINS;
            share[map][i] = 100 * (double)states[map].bins[i] / (double)states[map].samples;
        }
        series[map] = (orr_plot_series){.label = info ? info->name : "1-DEC, integers",
                                        .kind = ORR_PLOT_STEPS,
                                        .x = at,
                                        .y = share[map],
                                        .count = ORR_CHAOS_BINS};
        cJSON *item = cJSON_CreateObject();
        cJSON_AddStringToObject(item, "map", info ? info->key : "1-dec-integer");
        cJSON_AddNumberToObject(item, "samples", (double)states[map].samples);
        orr_json_add_real(item, "chi_square", states[map].chi_square);
        orr_json_add_real(item, "p", states[map].p);
        orr_json_add_reals(item, "percent", share[map], ORR_CHAOS_BINS);
        cJSON_AddItemToArray(list, item);
        if (info && map != ORR_CHAOS_DEC) continue;
        orr_finding finding = {.measure = info ? "states of the published formula, chi-square"
                                               : "states of the integer map, chi-square",
                               .value = states[map].chi_square,
                               .ideal = ORR_CHAOS_BINS - 1,
                               .low = -INFINITY,
                               .high = orr_chi_square_critical(0.001, ORR_CHAOS_BINS - 1)};
        orr_evidence_finding(e, &finding);
    }
    orr_plot_series own[2] = {series[ORR_CHAOS_DEC], series[ORR_CHAOS_MAPS]};
    orr_plot_mark uniform = {100.0 / ORR_CHAOS_BINS, "uniform", 0};
    orr_plot plot = {.title = "1-DEC: states by angle",
                     .width = 500,
                     .height = 320,
                     .x = {.label = "angle arccos(y) / pi", .low = 0, .high = 1},
                     .y = {.label = "share of states", .unit = "%", .low = 0.3, .high = 0.48},
                     .series = own,
                     .count = 2,
                     .marks = &uniform,
                     .mark_count = 1};
    orr_page_row_begin(&e->body);
    orr_status status =
        orr_page_plot(&e->body, &plot,
                      "Uniform in the angle, which is the arcsine law in y: K is so "
                      "large that one step mixes all there is.",
                      error);
    plot.title = "1-DCP and 1-DSP: states";
    plot.x = (orr_plot_axis){
        .label = "place between the ends of the diagram above", .low = 0, .high = 1};
    plot.y = (orr_plot_axis){.label = "share of states", .unit = "%", .scale = ORR_PLOT_LOG};
    plot.series = &series[ORR_CHAOS_DCP];
    if (status == ORR_OK) {
        status =
            orr_page_plot(&e->body, &plot,
                          "mu = 20 and alpha = 5: both prefer some states. Logistic (r = 4) and "
                          "Chebyshev maps follow the arcsine law, as 1-DEC does.",
                          error);
    }
    orr_page_row_end(&e->body);
    return status;
}

// ---- cycles

typedef struct cycle_work {
    orr_chaos_cycles *cycles;
    size_t starts;
    uint64_t seed;
} cycle_work;

static orr_status compute_cycles(void *context, size_t index, orr_error *error) {
    (void)error;
    cycle_work *w = context;
    orr_chaos_find_cycles(CYCLE_FIRST + CYCLE_STEP * (unsigned)index, ORR_MAP_K2_DEFAULT, w->starts,
                          w->seed, &w->cycles[index]);
    return ORR_OK;
}

static orr_status write_cycles(orr_evidence *e, cJSON *json, const plan *p, orr_error *error) {
    orr_chaos_cycles cycles[16];
    double bits[16], cycle[16], tail[16], expected[16];
    size_t count = (p->cycle_last - CYCLE_FIRST) / CYCLE_STEP + 1;
    cycle_work work = {cycles, p->starts, e->options->seed};
    orr_status status = orr_parallel(orr_evidence_threads(e), count, compute_cycles, &work, error);
    if (status != ORR_OK) return status;
    cJSON *list = cJSON_AddArrayToObject(json, "cycles");
    for (size_t n = 0; n < count; n++) {
        const orr_chaos_cycles *c = &cycles[n];
        bits[n] = c->bits, cycle[n] = c->mean_cycle, tail[n] = c->mean_tail;
        expected[n] = c->expected;
        cJSON *item = cJSON_CreateObject();
        cJSON_AddNumberToObject(item, "bits", c->bits);
        cJSON_AddNumberToObject(item, "starts", (double)c->starts);
        orr_json_add_real(item, "mean_cycle", c->mean_cycle);
        orr_json_add_real(item, "mean_tail", c->mean_tail);
        cJSON_AddNumberToObject(item, "shortest", (double)c->shortest);
        cJSON_AddNumberToObject(item, "longest", (double)c->longest);
        orr_json_add_real(item, "expected", c->expected);
        cJSON_AddItemToArray(list, item);
    }
    orr_finding finding = {.measure = "mean cycle, as a multiple of what is expected",
                           .value = cycle[count - 1] / expected[count - 1],
                           ORR_NO_BOUNDS};
    finding.ideal = 1;
    orr_evidence_finding(e, &finding);
    orr_plot_series series[3] = {
        {.label = "cycle", .kind = ORR_PLOT_LINE_POINTS, .x = bits, .y = cycle, .count = count},
        {.label = "tail", .kind = ORR_PLOT_LINE_POINTS, .x = bits, .y = tail, .count = count},
        {.label = "expected", .kind = ORR_PLOT_LINE, .x = bits, .y = expected, .count = count}};
    orr_plot plot = {.title = "Until states repeat",
                     .width = 620,
                     .height = 340,
                     .x = {.label = "state", .unit = "bits"},
                     .y = {.label = "mean length", .unit = "steps", .scale = ORR_PLOT_LOG},
                     .series = series,
                     .count = 3};
    status = orr_page_plot(&e->body, &plot,
                           "Cycles and the way to them, by Brent's algorithm, for the integer map "
                           "with shorter states and random factors: they grow as the root of the "
                           "number of states, as of any function that is like a random one.",
                           error);
    char note[600];
    snprintf(note, sizeof note,
             "For the 63 bits of the real map that is a mean of %.1e steps. A lane of the archive "
             "profile takes 26. The paper profile's sequences take a step for each byte of the "
             "image: one of 10^8 steps has met itself with a chance of about one in a hundred. The "
             "chance is that of the map, and no key changes it.",
             orr_chaos_expected_cycle(63));
    orr_page_note(&e->body, note);
    return status;
}

orr_status orr_section_chaos(orr_evidence *e, orr_error *error) {
    static const struct part {
        orr_status (*write)(orr_evidence *, cJSON *, const plan *, orr_error *);
        const char *what;
    } parts[] = {{write_agreement, "one step against the formula"},
                 {write_curves, "bifurcation and Lyapunov exponents"},
                 {write_states, "distribution of states"},
                 {write_cycles, "cycles"}};
    const plan *p = e->options->quick ? &quick_plan : &full_plan;
    cJSON *json = orr_evidence_section(e, "chaos", "The map", text_chaos);
    for (size_t n = 0; n < sizeof parts / sizeof *parts; n++) {
        orr_status status = orr_evidence_step(e, error, "the map: %s", parts[n].what);
        if (status == ORR_OK) status = parts[n].write(e, json, p, error);
        if (status != ORR_OK) return status;
    }
    orr_page_note(
        &e->body,
        "What this shows: the integer map is the published one, and it is chaotic. What it "
        "cannot show: security. Two words of a lane give away its state; see the attacks.");
    return ORR_OK;
}
