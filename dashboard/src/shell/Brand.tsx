import icon from "./icon.svg";

export const Brand = () => (
  <span className="brand">
    <img src={icon} alt="" width="24" height="24" />
    <span className="brand-name">invite-links</span>
  </span>
);
