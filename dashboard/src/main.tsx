import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App.js";
import "./styles/base.css";
import "./styles/frame.css";
import "./styles/filters.css";
import "./styles/overview.css";
import "./styles/table.css";
import "./styles/dialog.css";
import "./styles/narrow.css";

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no element with the id root.");
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
