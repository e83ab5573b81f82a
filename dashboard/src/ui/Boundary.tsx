import { Component, type ReactNode } from "react";
import { forgetFailures } from "./lazyPart.js";

interface Failure {
  readonly error: Error;
  /** How often it has failed. */
  readonly count: number;
  readonly retry: () => void;
}

/** Catches what its content throws, above all that its file could not be loaded. */
export class Boundary extends Component<
  {
    readonly children: ReactNode;
    /** What is shown in the place of the content. */
    readonly instead: (failure: Failure) => ReactNode;
    /** The failure is over when it changes. */
    readonly place?: string;
  },
  { readonly error: Error | null }
> {
  override state: { readonly error: Error | null } = { error: null };
  #count = 0;

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override componentDidCatch(): void {
    this.#count += 1;
    forgetFailures();
    this.forceUpdate();
  }

  override componentDidUpdate({ place }: { readonly place?: string }): void {
    if (place === this.props.place) return;
    this.#count = 0;
    if (this.state.error !== null) this.#retry();
  }

  readonly #retry = (): void => this.setState({ error: null });

  override render() {
    const { error } = this.state;
    return error === null
      ? this.props.children
      : this.props.instead({ error, count: this.#count, retry: this.#retry });
  }
}
