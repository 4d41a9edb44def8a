//! Whether there is an order in which a history could have happened one thing at a time (Wing and Gong, "Testing and verifying
//! concurrent objects", 1993, with the memory of Lowe, 2017).

use std::collections::HashSet;

/// What a key is: none, or the command that last changed it, and whether it is enabled.
pub(super) type Value = Option<(u64, bool)>;

/// Something that was done to one key, or read of it. Times are in nanoseconds.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    #[expect(dead_code, reason = "it is shown where there is no order")]
    pub(super) what: &'static str,
    /// It did not happen before.
    pub(super) begun: u64,
    /// It did not happen after; the greatest where nobody knows.
    pub(super) ended: u64,
    /// How it found the key.
    pub(super) saw: Value,
    /// How it left it; none where it only read.
    pub(super) left: Option<Value>,
}

/// What happened so far, of all that did.
#[derive(Clone, Eq, Hash, PartialEq)]
struct Point {
    done: Vec<u64>,
    value: Value,
}

impl Point {
    fn is_done(&self, at: usize) -> bool {
        self.done[at / 64] >> (at % 64) & 1 == 1
    }

    fn with(mut self, at: usize) -> Self {
        self.done[at / 64] |= 1 << (at % 64);
        self
    }

    /// What may come next: what began before anything that is left ended.
    fn next(&self, operations: &[Operation]) -> Vec<usize> {
        let (mut next, mut bound) = (Vec::new(), u64::MAX);
        for (at, operation) in operations.iter().enumerate() {
            if operation.begun > bound {
                break;
            }
            if !self.is_done(at) {
                bound = bound.min(operation.ended);
                next.push(at);
            }
        }
        next.retain(|at| operations[*at].begun <= bound);
        next
    }
}

/// Finds an order, from no key on, or says where there is none.
pub(super) fn check(mut operations: Vec<Operation>) -> Result<(), String> {
    operations.sort_by_key(|operation| operation.begun);
    let begin = Point { done: vec![0; operations.len() / 64 + 1], value: None };
    let (mut left, mut known, mut furthest) = (vec![begin], HashSet::new(), (0, String::new()));
    while let Some(mut point) = left.pop() {
        let next = loop {
            let next = point.next(&operations);
            // A read that fits changes nothing: where any order is right, one with it here is.
            let fits = |at: &&usize| operations[**at].left.is_none() && operations[**at].saw == point.value;
            match next.iter().find(fits) {
                Some(read) => point = point.with(*read),
                None => break next,
            }
        };
        if next.is_empty() {
            return Ok(());
        }
        if !known.insert(point.clone()) {
            continue;
        }
        let done = point.done.iter().map(|word| word.count_ones()).sum::<u32>();
        if furthest.1.is_empty() || done > furthest.0 {
            let stuck: Vec<_> = next.iter().map(|at| format!("{:?}", operations[*at])).collect();
            furthest =
                (done, format!("the key is {:?}, and next is one of\n{}", point.value, stuck.join("\n")));
        }
        for at in next.into_iter().rev() {
            if let Some(value) = operations[at].left.filter(|_| operations[at].saw == point.value) {
                left.push(Point { value, ..point.clone().with(at) });
            }
        }
    }
    Err(format!("of {} operations {} can be put in order; then {}", operations.len(), furthest.0, furthest.1))
}

fn operation(begun: u64, ended: u64, saw: Value, left: Option<Value>) -> Operation {
    Operation { what: "test", begun, ended, saw, left }
}

#[test]
fn what_could_have_happened_is_put_in_order() {
    let (one, two) = (Some((1, true)), Some((2, false)));
    let right: &[&[Operation]] = &[
        &[],
        &[operation(0, 1, None, Some(one)), operation(2, 3, one, None)],
        // At once: either order.
        &[operation(0, 5, None, Some(one)), operation(1, 4, None, None), operation(2, 3, one, None)],
        // Nobody knows when the second happened: behind everything.
        &[
            operation(0, 1, None, Some(one)),
            operation(2, u64::MAX, one, Some(two)),
            operation(3, 9, one, None),
        ],
        // The second read began first, and was answered of later.
        &[
            operation(0, 1, None, Some(one)),
            operation(2, 9, one, Some(two)),
            operation(3, 8, two, None),
            operation(2, 8, one, None),
        ],
    ];
    for history in right {
        check(history.to_vec()).unwrap();
    }
}

#[test]
fn what_could_not_have_happened_is_refused() {
    let (one, two) = (Some((1, true)), Some((2, false)));
    let wrong: &[&[Operation]] = &[
        // "Not found" after it was added.
        &[operation(0, 1, None, Some(one)), operation(2, 3, None, None)],
        // Found before.
        &[operation(0, 1, one, None), operation(2, 3, None, Some(one))],
        // Both found none: one update is lost.
        &[operation(0, 3, None, Some(one)), operation(1, 4, None, Some(two))],
        // Back and forth.
        &[
            operation(0, 1, None, Some(one)),
            operation(2, 9, one, Some(two)),
            operation(3, 4, two, None),
            operation(5, 6, one, None),
        ],
        // It was disabled longer ago than the read may be old.
        &[operation(0, 1, None, Some(one)), operation(2, 3, one, Some(two)), operation(4, 9, one, None)],
    ];
    for history in wrong {
        check(history.to_vec()).unwrap_err();
    }
}
