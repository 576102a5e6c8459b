"""Operations declared by pydantic models."""
