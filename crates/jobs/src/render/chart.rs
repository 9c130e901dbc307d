//! Line charts as plain shapes, drawn alike on a page and in a document.

use sitewatch_domain::{
    reports::{MetricContent, ModuleContent, Period, PeriodKind},
    time::{Instant, Interval, TimeRange},
};

use super::{
    number::{Decimals, Number},
    text,
};

/// Red, green, blue.
pub(super) type Colour = (u8, u8, u8);

/// The colours of lines; told apart by people who see few colours, too.
const COLOURS: [Colour; 6] =
    [(31, 95, 191), (217, 119, 6), (5, 135, 95), (190, 40, 70), (118, 70, 190), (70, 85, 100)];
const INK: Colour = (31, 41, 55);
const FAINT_INK: Colour = (95, 105, 120);
const GRID: Colour = (225, 229, 235);

const TITLE_SIZE: f64 = 8.5;
const LABEL_SIZE: f64 = 6.5;
/// About how wide a digit is, in relation to the size of the type.
const DIGIT_WIDTH: f64 = 0.56;
/// The most labels below a chart.
const TIME_LABELS: usize = 8;

/// Lines over a period.
#[derive(Debug, Clone)]
pub(super) struct Chart {
    title: String,
    lines: Vec<Line>,
    /// Where a label stands, from 0 at the period's start to 1 at its end.
    times: Vec<(f64, String)>,
}

#[derive(Debug, Clone)]
struct Line {
    name: String,
    /// Where, from 0 to 1, and how much.
    points: Vec<(f64, Option<f64>)>,
}

/// A chart as shapes, in points (1/72 inch) from the upper left corner.
#[derive(Debug, Clone)]
pub(super) struct Drawing {
    /// What it shows, for those who do not see it.
    pub(super) title: String,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) shapes: Vec<Shape>,
}

/// A part of a drawing.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    /// A line through all these points.
    Path { points: Vec<(f64, f64)>, colour: Colour, width: f64 },
    /// A filled rectangle: its upper left corner, width and height.
    Area { at: (f64, f64), size: (f64, f64), colour: Colour },
    /// A line of text; `at` is on its base line.
    Text { at: (f64, f64), text: String, size: f64, anchor: Anchor, is_bold: bool, colour: Colour },
}

/// Which part of a text its place is that of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// The chart of a metric, one line a module.
pub(super) fn of(title: String, members: &[(&ModuleContent, &MetricContent)], period: &Period) -> Chart {
    let range = period.range();
    let lines = members.iter().map(|(module, metric)| Line {
        name: text::visible(&module.name),
        points: metric.chart.iter().map(|point| (share(point.at, range), point.value)).collect(),
    });
    Chart { title, lines: lines.collect(), times: times(period) }
}

fn share(at: Instant, range: TimeRange) -> f64 {
    at.since(range.from).as_secs_f64() / range.to.since(range.from).as_secs_f64().max(1.0)
}

fn times(period: &Period) -> Vec<(f64, String)> {
    let interval = if period.kind() == PeriodKind::Day { Interval::Hours(1) } else { Interval::Day };
    let zone = period.zone();
    let buckets = interval.buckets(period.range(), zone, 64).unwrap_or_default();
    let every = buckets.len().div_ceil(TIME_LABELS).max(1);
    let label = |at: Instant| match period.kind() {
        PeriodKind::Day => zone.local(at).time(),
        PeriodKind::Week | PeriodKind::Month => text::day_and_month(zone.local(at)),
    };
    buckets
        .iter()
        .step_by(every)
        .map(|bucket| (share(bucket.start, period.range()), label(bucket.start)))
        .collect()
}

impl Chart {
    /// Draws it to this width and height.
    pub(super) fn draw(&self, width: f64, height: f64) -> Drawing {
        let scale =
            Scale::of(self.lines.iter().flat_map(|line| &line.points).filter_map(|(_, value)| *value));
        let widest = scale.ticks.iter().map(|(_, label)| label.chars().count()).max().unwrap_or(0);
        let digits: f64 = (0..widest).map(|_| LABEL_SIZE * DIGIT_WIDTH).sum();
        let plot = Plot { left: digits + 6.0, top: 28.0, right: width - 4.0, bottom: height - 12.0 };
        let mut shapes = vec![Shape::Text {
            at: (0.0, TITLE_SIZE),
            text: text::shortened(&self.title, 60),
            size: TITLE_SIZE,
            anchor: Anchor::Start,
            is_bold: true,
            colour: INK,
        }];
        self.legend(width, &mut shapes);
        self.axes(&plot, &scale, &mut shapes);
        for (line, colour) in self.lines.iter().zip(COLOURS.iter().cycle()) {
            line.draw(&plot, &scale, *colour, &mut shapes);
        }
        Drawing { title: self.title.clone(), width, height, shapes }
    }

    fn legend(&self, width: f64, shapes: &mut Vec<Shape>) {
        let entries = self.lines.iter().map(|_| 1.0).sum::<f64>().max(4.0);
        let entry_width = width / entries;
        let mut left = 0.0;
        for (line, colour) in self.lines.iter().zip(COLOURS.iter().cycle()) {
            shapes.push(Shape::Area { at: (left, 16.0), size: (7.0, 2.5), colour: *colour });
            shapes.push(Shape::Text {
                at: (left + 9.5, 19.5),
                text: text::shortened(&line.name, fitting(entry_width - 12.0)),
                size: LABEL_SIZE,
                anchor: Anchor::Start,
                is_bold: false,
                colour: INK,
            });
            left += entry_width;
        }
    }

    fn axes(&self, plot: &Plot, scale: &Scale, shapes: &mut Vec<Shape>) {
        let label = |at, text: &str, anchor| Shape::Text {
            at,
            text: text.to_owned(),
            size: LABEL_SIZE,
            anchor,
            is_bold: false,
            colour: FAINT_INK,
        };
        for (value, text) in &scale.ticks {
            let y = plot.y(scale.share(*value));
            let points = vec![(plot.left, y), (plot.right, y)];
            shapes.push(Shape::Path { points, colour: GRID, width: 0.5 });
            shapes.push(label((plot.left - 3.0, y + 2.2), text, Anchor::End));
        }
        for (share, text) in &self.times {
            let x = plot.x(*share);
            let points = vec![(x, plot.bottom), (x, plot.bottom + 2.5)];
            shapes.push(Shape::Path { points, colour: FAINT_INK, width: 0.5 });
            let anchor = if *share < 0.01 { Anchor::Start } else { Anchor::Middle };
            shapes.push(label((x, plot.bottom + 9.5), text, anchor));
        }
        let base = vec![(plot.left, plot.bottom), (plot.right, plot.bottom)];
        shapes.push(Shape::Path { points: base, colour: FAINT_INK, width: 0.5 });
    }
}

/// How many characters fit into a width, about.
fn fitting(width: f64) -> usize {
    let mut characters = 1;
    let mut used = LABEL_SIZE * DIGIT_WIDTH;
    while used + LABEL_SIZE * DIGIT_WIDTH <= width {
        used += LABEL_SIZE * DIGIT_WIDTH;
        characters += 1;
    }
    characters
}

impl Line {
    /// One path for each stretch without a break; a point alone becomes a short dash.
    fn draw(&self, plot: &Plot, scale: &Scale, colour: Colour, shapes: &mut Vec<Shape>) {
        for stretch in self.points.split(|(_, value)| value.is_none()) {
            let place =
                |(share, value): &(f64, Option<f64>)| Some((plot.x(*share), plot.y(scale.share((*value)?))));
            let mut points: Vec<(f64, f64)> = stretch.iter().filter_map(place).collect();
            if let [(x, y)] = points[..] {
                points = vec![(x - 0.6, y), (x + 0.6, y)];
            }
            if !points.is_empty() {
                shapes.push(Shape::Path { points, colour, width: 0.9 });
            }
        }
    }
}

struct Plot {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Plot {
    fn x(&self, share: f64) -> f64 {
        self.left + share.clamp(0.0, 1.0) * (self.right - self.left)
    }

    fn y(&self, share: f64) -> f64 {
        self.bottom - share.clamp(0.0, 1.0) * (self.bottom - self.top)
    }
}

/// Round numbers from the smallest value to the largest.
struct Scale {
    low: f64,
    high: f64,
    ticks: Vec<(f64, String)>,
}

impl Scale {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        // Beyond, the distance between the two ends would be no number any more.
        let bounded = values.map(|value| value.clamp(-1e300, 1e300));
        let (mut low, mut high) = bounded
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        // What is far above zero in relation to its changes is shown by itself.
        if low > 0.0 && low < 0.5 * high {
            low = 0.0;
        }
        if high - low <= high.abs().max(low.abs()) * 1e-9 {
            let room = (high.abs() * 0.1).max(if high == 0.0 { 1.0 } else { 0.0 });
            (low, high) = (low - room, high + room);
        }
        let step = round_step((high - low) / 4.0);
        let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
        let decimals = Decimals::for_step(step);
        let ticks = (0..=10_u32)
            .map(|number| low + step * f64::from(number))
            .take_while(|tick| *tick <= high + step * 0.01)
            .map(|tick| (tick, Number::new(tick, decimals).grouped()));
        Self { low, high, ticks: ticks.collect() }
    }

    fn share(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }
}

/// The next of 1, 2, 5 times a power of ten.
fn round_step(least: f64) -> f64 {
    let power = 10.0_f64.powf(least.log10().floor());
    let factors = [1.0, 2.0, 5.0, 10.0];
    power * factors.into_iter().find(|factor| power * factor >= least * 0.999).unwrap_or(10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(values: &[f64]) -> Vec<String> {
        Scale::of(values.iter().copied()).ticks.into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn ticks_are_round_numbers_around_all_values() {
        assert_eq!(
            ticks(&[-16.6, 1_840.0]),
            ["-500", "0", "500", "1\u{202f}000", "1\u{202f}500", "2\u{202f}000"]
        );
        assert_eq!(ticks(&[3.7, 15.3]), ["0", "5", "10", "15", "20"]);
        assert_eq!(ticks(&[99.2, 99.9]), ["99.2", "99.4", "99.6", "99.8", "100.0"]);
        assert_eq!(ticks(&[]), ["0.0", "0.5", "1.0"]);
    }

    #[test]
    fn values_that_are_alike_tiny_or_huge_have_a_scale() {
        for values in
            [&[0.0, 0.0][..], &[5.0], &[-273.2, -273.2], &[1e-12, 2e-12], &[-1e308, 1e308], &[1e300]]
        {
            let scale = Scale::of(values.iter().copied());
            assert!(scale.low < scale.high && scale.ticks.len() >= 2, "{values:?}");
            for value in values {
                assert!((-0.001..=1.001).contains(&scale.share(value.clamp(-1e300, 1e300))), "{values:?}");
            }
        }
    }

    #[test]
    fn a_line_is_broken_where_a_value_is_missing_and_a_lonely_point_is_seen() {
        let points = vec![(0.0, Some(1.0)), (0.1, Some(2.0)), (0.2, None), (0.5, Some(3.0))];
        let line = Line { name: "a".into(), points };
        let chart = Chart { title: "t".into(), lines: vec![line], times: Vec::new() };
        let drawing = chart.draw(200.0, 100.0);
        let is_line = |shape: &&Shape| matches!(shape, Shape::Path { colour, .. } if *colour == COLOURS[0]);
        let paths: Vec<&Shape> = drawing.shapes.iter().filter(is_line).collect();
        assert_eq!(paths.len(), 2);
    }
}
