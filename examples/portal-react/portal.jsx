// A React portal on an origin of its own: the person signs in to Wayout's API and the element uses their token.
import { useEffect, useRef, useState } from "react";
import { createRoot } from "react-dom/client";
import "wayout-portal";

const WAYOUT = new URLSearchParams(location.search).get("wayout") ?? "http://127.0.0.1:8000";

const SIGN_IN = `mutation ($input: SignInInput!) {
  said: signIn(input: $input) {
    ... on SignInSuccess { session { accessToken accessTokenLives refreshToken } }
    ... on Problem { message }
  }
}`;
const REFRESH = `mutation ($input: RefreshSessionInput!) {
  said: refreshSession(input: $input) {
    ... on RefreshSessionSuccess { session { accessToken accessTokenLives refreshToken } }
    ... on Problem { message }
  }
}`;

async function ask(query, input) {
  const answer = await fetch(`${WAYOUT}/graphql/`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ query, variables: { input } }),
  });
  const { session, message } = (await answer.json()).data.said;
  // A token is renewed a minute before its end, which is five minutes after it was made.
  return session ? { ...session, until: Date.now() + (session.accessTokenLives - 60) * 1000 } : { message };
}

// What the element asks for a token before every request. A refresh token works once: all who wait share its answer.
function keep(session, ended) {
  let renewing = null;
  return async () => {
    if (Date.now() >= session.until) {
      renewing ??= ask(REFRESH, { refreshToken: session.refreshToken }).finally(() => (renewing = null));
      const renewed = await renewing;
      if (renewed.message) return ended(renewed.message);
      session = renewed;
    }
    return session.accessToken;
  };
}

function Billing({ getToken }) {
  const element = useRef(null);
  const [said, say] = useState("");
  useEffect(() => {
    const heard = (event) => say(`Canceled ${event.detail.reference}`);
    element.current.addEventListener("wayout-canceled", heard);
    return () => element.current?.removeEventListener("wayout-canceled", heard);
  }, []);
  // React sets what the element knows as a property (getToken) as one, and the rest as attributes.
  return (
    <>
      <p role="status">{said}</p>
      <wayout-portal ref={element} endpoint={`${WAYOUT}/graphql/`} locale="en" getToken={getToken} />
    </>
  );
}

function Portal() {
  const [getToken, setGetToken] = useState(null);
  const [problem, setProblem] = useState("");
  const ended = (message) => {
    setGetToken(null);
    setProblem(message);
  };
  if (getToken) return <Billing getToken={getToken} />;
  const submit = async (event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    const said = await ask(SIGN_IN, { name: form.get("name"), password: form.get("password"), kind: "TOKEN" });
    if (said.message) setProblem(said.message);
    else setGetToken(() => keep(said, ended));
  };
  return (
    <form onSubmit={submit}>
      <label>Name <input name="name" autoComplete="username" /></label>
      <label>Password <input name="password" type="password" autoComplete="current-password" /></label>
      <button>Sign in</button> <p role="alert">{problem}</p>
    </form>
  );
}

createRoot(document.getElementById("root")).render(<Portal />);
