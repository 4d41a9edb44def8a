//! What a metric is: a name, a kind, a unit, labels, and what it says.

use prometheus_client::registry::{self, Registry, Unit};

/// A metric as the catalogue has it: registration and the reference are both made from this.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Metric {
    /// Its name without `authority.metrics_namespace` and an underscore, and without what the text format adds to a
    /// counter's or a histogram's samples.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// What its value is measured in; none where it counts. The name ends in it.
    pub unit: Option<&'static str>,
    /// Its labels, in their order.
    pub labels: &'static [Label],
    /// What it says, in one line without a full stop.
    pub help: &'static str,
}

/// The kinds of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only rises, and begins at 0 with each start. Its samples end in `_total`.
    Counter,
    /// It is what it is now.
    Gauge,
    /// Its samples end in `_bucket`, with the label `le`, `_sum` and `_count`.
    Histogram,
}

/// A label, and what it can say. None is a stranger's word: how many there are is bounded by us or by what is kept.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// What it can say.
    pub values: Values,
}

/// What a label can say.
#[derive(Clone, Copy, Debug)]
pub enum Values {
    /// One of these.
    OneOf(&'static [&'static str]),
    /// What somebody else names.
    From {
        /// Where the values come from.
        what: &'static str,
        /// How many there can be at most.
        at_most: &'static str,
    },
}

impl Metric {
    /// Puts `metric` into the registry under this name; `registry` adds the prefix.
    pub(super) fn register<M: registry::Metric + Clone>(&self, registry: &mut Registry, metric: M) -> M {
        let unit = self.unit.and_then(|unit| Some((self.name.strip_suffix(unit)?.strip_suffix('_')?, unit)));
        match unit {
            Some((name, unit)) => {
                registry.register_with_unit(name, self.help, Unit::Other(unit.to_owned()), metric.clone());
            }
            None => registry.register(self.name, self.help, metric.clone()),
        }
        metric
    }
}

impl Kind {
    /// As `# TYPE` says it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}
