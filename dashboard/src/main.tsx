import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App.js";
import { startI18n } from "./i18n/index.js";
import "./styles/base.css";
import "./styles/layout.css";
import "./styles/controls.css";
import "./styles/tables.css";
import "./styles/dialog.css";
import "./shell/shell.css";
import "./styles/print.css";

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no element with the id root.");
await startI18n();
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
