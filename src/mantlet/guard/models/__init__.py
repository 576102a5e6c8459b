"""Operations declared with pydantic models."""
