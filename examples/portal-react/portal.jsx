// A React portal on an origin of its own: the person signs in to Wayout's API and the element uses their token.
import { useEffect, useRef, useState } from "react";
import { createRoot } from "react-dom/client";
import "wayout-portal";

const WAYOUT = new URLSearchParams(location.search).get("wayout") ?? "http://127.0.0.1:8000";

const SIGN_IN = `mutation ($input: SignInInput!) {
  signIn(input: $input) {
    ... on SignInSuccess { session { accessToken } }
    ... on Problem { message }
  }
}`;

async function signIn(name, password) {
  const answer = await fetch(`${WAYOUT}/graphql/`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ query: SIGN_IN, variables: { input: { name, password, kind: "TOKEN" } } }),
  });
  return (await answer.json()).data.signIn;
}

function Billing({ token }) {
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
      <wayout-portal ref={element} endpoint={`${WAYOUT}/graphql/`} locale="en" getToken={() => token} />
    </>
  );
}

function Portal() {
  const [token, setToken] = useState(null);
  const [problem, setProblem] = useState("");
  if (token) return <Billing token={token} />;
  const submit = async (event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    const said = await signIn(form.get("name"), form.get("password"));
    if (said.session) setToken(said.session.accessToken);
    else setProblem(said.message);
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
