import icon from "./icon.svg";

export const Brand = () => (
  <span className="brand">
    <img src={icon} alt="" width="28" height="28" />
    invite-links
  </span>
);
