//! Lines of standard input, each within a limit: an endless one takes no memory.

use std::io::{self, BufRead, BufReader, Read};

/// What came next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    End,
    /// A line without its end. One over the limit is cut one octet past it, and the rest thrown away.
    Text(&'a [u8]),
}

/// Reads lines.
pub(crate) struct Lines<R> {
    input: BufReader<R>,
    line: Vec<u8>,
    limit: usize,
}

impl<R: Read> Lines<R> {
    /// Lines of at most `limit` octets.
    pub(crate) fn new(input: R, limit: usize) -> Self {
        Self { input: BufReader::with_capacity(64 * 1024, input), line: Vec::new(), limit }
    }

    /// Whether the next line may not be here yet, so that to read it may take any time.
    pub(crate) fn may_wait(&self) -> bool {
        !self.input.buffer().contains(&b'\n')
    }

    /// The next line.
    pub(crate) fn next(&mut self) -> io::Result<Line<'_>> {
        self.line.clear();
        // Room for CR and LF beside the limit.
        let most = self.limit as u64 + 2;
        if self.input.by_ref().take(most).read_until(b'\n', &mut self.line)? == 0 {
            return Ok(Line::End);
        }
        match self.line.strip_suffix(b"\n") {
            Some(line) => Ok(Line::Text(line.strip_suffix(b"\r").unwrap_or(line))),
            None => {
                let line = match self.line.get(..self.limit + 1) {
                    Some(cut) if self.line.len() as u64 == most => {
                        self.input.skip_until(b'\n')?;
                        cut
                    }
                    _ => &self.line,
                };
                Ok(Line::Text(line.strip_suffix(b"\r").unwrap_or(line)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8], limit: usize) -> Vec<Vec<u8>> {
        let mut lines = Lines::new(text, limit);
        let mut all = Vec::new();
        while let Line::Text(line) = lines.next().expect("a slice does not fail") {
            all.push(line.to_vec());
        }
        all
    }

    #[test]
    fn every_end_of_line_and_none() {
        for text in [&b"ab\ncd\n"[..], b"ab\r\ncd\r\n", b"ab\ncd", b"ab\r\ncd\r"] {
            assert_eq!(read(text, 2), [b"ab", b"cd"], "{text:?}");
        }
        assert_eq!(read(b"\n\r\na\0\xff", 9), [&b""[..], b"", b"a\0\xff"]);
        assert!(read(b"", 9).is_empty());
    }

    #[test]
    fn a_long_line_is_cut_past_the_limit_and_costs_its_neighbours_nothing() {
        let long = [vec![b'x'; 100_000], b"\nab\n".to_vec()].concat();
        assert_eq!(read(&long, 3), [&b"xxxx"[..], b"ab"]);
        for (text, first) in
            [(&b"abcd\ne"[..], &b"abcd"[..]), (b"abcde\nf", b"abcd"), (b"abcd\r\ne", b"abcd")]
        {
            assert_eq!(read(text, 3)[0], first, "{text:?}");
            assert_eq!(read(text, 3).len(), 2, "{text:?}");
        }
        assert_eq!(read(&[b'x'; 100_000], 3), [b"xxxx"]);
    }
}
