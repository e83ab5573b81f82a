/** Control characters except for line ends and tabs. */
const CONTROL = /(?![\n\t])\p{Cc}/gu;

/**
 * A text as it may be shown on a terminal. Terminals obey control characters, so a text of somebody else, such as a cell of
 * an imported file, could hide or forge lines.
 */
export const terminalText = (text: string): string => text.replace(CONTROL, "\ufffd");
