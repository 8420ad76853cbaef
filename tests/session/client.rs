//! A client with a cookie jar: it keeps cookies by name, and sends them again.

use silverback::session::testing::Jar;

#[derive(Clone)]
pub(crate) struct Browser {
    address: String,
    agent: ureq::Agent,
    pub(crate) jar: Jar,
}

pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: String,
    fields: Vec<(String, String)>,
}

impl Browser {
    pub(crate) fn new(address: &str) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        Browser {
            address: address.to_owned(),
            agent: config.max_redirects(0).build().into(),
            jar: Jar::new(),
        }
    }

    /// Returns another browser of the same site, without cookies.
    pub(crate) fn another(&self) -> Self {
        Browser::new(&self.address)
    }

    /// Gets a page with the cookies of the jar, and stores those of the response.
    pub(crate) fn get(&mut self, path: &str) -> Response {
        let cookie = self.jar.cookie();
        let fields = (!cookie.is_empty()).then_some(("Cookie", cookie.as_str()));
        let response = self.get_with(path, fields);
        for set_cookie in response.all("set-cookie") {
            self.jar.receive(set_cookie);
        }
        response
    }

    /// Requests a page, and disconnects after a second. Returns whether there was no answer.
    pub(crate) fn times_out(&self, path: &str) -> bool {
        let config = ureq::Agent::config_builder();
        let impatient = config.timeout_global(Some(std::time::Duration::from_secs(1)));
        let agent: ureq::Agent = impatient.build().into();
        let request = agent.get(format!("http://{}{path}", self.address));
        request.header("Cookie", self.jar.cookie()).call().is_err()
    }

    /// Gets a page with exactly these fields.
    pub(crate) fn get_with<'f>(
        &self,
        path: &str,
        fields: impl IntoIterator<Item = (&'f str, &'f str)>,
    ) -> Response {
        let mut request = self.agent.get(format!("http://{}{path}", self.address));
        for field in fields {
            request = request.header(field.0, field.1);
        }
        Response::read(request.call().unwrap())
    }

    /// Posts nothing with the cookies of the jar and these fields, and stores the cookies of the
    /// response.
    #[cfg(feature = "dbsc")]
    pub(crate) fn post_with<'f>(
        &mut self,
        path: &str,
        fields: impl IntoIterator<Item = (&'f str, &'f str)>,
    ) -> Response {
        let mut request = self.agent.post(format!("http://{}{path}", self.address));
        request = request.header("Cookie", self.jar.cookie());
        for field in fields {
            request = request.header(field.0, field.1);
        }
        let response = Response::read(request.send_empty().unwrap());
        for set_cookie in response.all("set-cookie") {
            self.jar.receive(set_cookie);
        }
        response
    }
}

impl Response {
    fn read(mut response: ureq::http::Response<ureq::Body>) -> Self {
        let fields = response.headers().iter().map(|(name, value)| {
            let value = value.to_str().unwrap().to_owned();
            (name.as_str().to_owned(), value)
        });
        Response {
            status: response.status().as_u16(),
            fields: fields.collect(),
            body: response.body_mut().read_to_string().unwrap(),
        }
    }

    /// Returns all fields of a name.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let fields = self.fields.iter().filter(|(of, _)| of == name);
        fields.map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn set_cookies(&self) -> Vec<&str> {
        self.all("set-cookie")
    }

    pub(crate) fn cache_control(&self) -> Vec<&str> {
        self.all("cache-control")
    }
}
