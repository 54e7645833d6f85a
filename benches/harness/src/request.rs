//! What the driver asks of a peer's program: `problem/case form=… workers=… size=… samples=…`.

use std::fmt;

/// One case to be measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `problem/case`.
    pub case: String,
    /// The peer's idiom, where it has several; else empty.
    pub form: String,
    /// Worker threads.
    pub workers: usize,
    /// The size, on the case's axis.
    pub size: usize,
    /// How often to measure.
    pub samples: usize,
}

impl Request {
    /// Parses the words after the program's name.
    ///
    /// # Errors
    /// A text that says which word is wrong.
    pub fn parse(words: impl IntoIterator<Item = String>) -> Result<Request, String> {
        let mut words = words.into_iter();
        let case = words.next().ok_or("no case: the first word is `problem/case`")?;
        let mut request = Request { case, form: String::new(), workers: 1, size: 1, samples: 1 };
        for word in words {
            let (name, value) = word.split_once('=').ok_or(format!("`{word}` is not `name=value`"))?;
            let number = || value.parse().map_err(|_| format!("`{word}`: not a number"));
            match name {
                "form" => request.form = value.to_owned(),
                "workers" => request.workers = number()?,
                "size" => request.size = number()?,
                "samples" => request.samples = number()?,
                _ => return Err(format!("`{name}`: not one of form, workers, size, samples")),
            }
        }
        if request.samples == 0 {
            return Err("samples=0 measures nothing".to_owned());
        }
        Ok(request)
    }

    /// The problem and the case within it.
    pub fn parts(&self) -> (&str, &str) {
        self.case.split_once('/').unwrap_or((&self.case, ""))
    }

    /// The words that [`parse`](Request::parse) takes apart.
    pub fn words(&self) -> Vec<String> {
        let Request { case, form, workers, size, samples } = self;
        vec![
            case.clone(),
            format!("form={form}"),
            format!("workers={workers}"),
            format!("size={size}"),
            format!("samples={samples}"),
        ]
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Request, String> {
        Request::parse(text.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn what_is_written_is_read() {
        let request = parse("graphs/chain workers=2 size=100 form=lent samples=7").unwrap();
        assert_eq!(request.parts(), ("graphs", "chain"));
        assert_eq!(Request::parse(request.words()).unwrap(), request);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, part) in [
            ("", "no case"),
            ("a/b workers", "`workers`"),
            ("a/b size=x", "`size=x`"),
            ("a/b samples=0", "nothing"),
        ] {
            assert!(parse(text).unwrap_err().contains(part), "{text}");
        }
    }
}
