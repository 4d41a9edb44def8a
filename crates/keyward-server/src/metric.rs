//! What a metric is: a name, a kind, a unit, labels, and what it says.

use prometheus_client::registry::{self, Registry, Unit};

/// A metric as the catalogue has it: registration and the reference are both made from this.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name without the configuration's `metrics_namespace`, and without what the text format adds to a counter's or a
    /// histogram's samples.
    pub name: &'static str,
    /// Whether the namespace comes before the name.
    pub prefix: Prefix,
    /// What it is.
    pub kind: Kind,
    /// What its value is measured in; none where it counts. The name ends in it.
    pub unit: Option<&'static str>,
    /// Its labels, in their order.
    pub labels: &'static [Label],
    /// What it says, in one line without a full stop.
    pub help: &'static str,
}

/// What comes before a metric's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// The configuration's `metrics_namespace` and an underscore.
    Namespace,
    /// Nothing: the name is the same wherever tokens are checked.
    Nothing,
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

/// A label, and what it can say. None is a stranger's word: how many there are is bounded by us, by who is configured or by what is kept.
#[derive(Clone, Copy, Debug)]
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
    /// Its name where `namespace` is the configuration's `metrics_namespace`.
    pub fn full_name(&self, namespace: &str) -> String {
        match self.prefix {
            Prefix::Namespace => format!("{namespace}_{}", self.name),
            Prefix::Nothing => self.name.to_owned(),
        }
    }

    /// What the names of its samples end in.
    pub fn suffixes(&self) -> &'static [&'static str] {
        match self.kind {
            Kind::Counter => &["_total"],
            Kind::Gauge => &[""],
            Kind::Histogram => &["_bucket", "_sum", "_count"],
        }
    }

    /// Puts `metric` into the registry under this name; `registry` adds the prefix.
    pub fn register<M: registry::Metric + Clone>(&self, registry: &mut Registry, metric: M) -> M {
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

impl Label {
    /// One that can say these.
    pub const fn one_of(name: &'static str, values: &'static [&'static str]) -> Self {
        Self { name, values: Values::OneOf(values) }
    }

    /// One that says what somebody else names: from where, and how many there can be at most.
    pub const fn from(name: &'static str, what: &'static str, at_most: &'static str) -> Self {
        Self { name, values: Values::From { what, at_most } }
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
